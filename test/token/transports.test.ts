/** The transports that have to be enabled, and all of them beside each other. */
import t from 'tap'
import { PortcullisError } from '../../src/errors.js'
import { readPresentedToken } from '../../src/token/presented-token.js'
import type { Transports } from '../../src/token/presented-token.js'

const COOKIE = '__Host-access'
const all: Transports = { header: true, cookie: COOKIE, xAccessToken: true, query: true, body: true }

interface Asked {
  readonly url?: string
  readonly body?: unknown
}

/** What is found, as transport and token; the code of a refusal; or nothing. */
function found(
  raw: [name: string, value: string][],
  transports = all,
  { body, url = '/' }: Asked = {},
): string {
  try {
    const credentials = readPresentedToken({ target: url, rawHeaders: raw.flat() }, transports, body)
    return credentials ? `${credentials.transport} ${credentials.token}` : 'nothing'
  } catch (error) {
    if (error instanceof PortcullisError) return error.code
    throw error
  }
}

const queries: [url: string, outcome: string][] = [
  ['/x', 'nothing'],
  ['/x?', 'nothing'],
  ['/x?access_token=abc', 'query abc'],
  ['/x?a=1&access_token=abc&b=2', 'query abc'],
  ['/x?a=access_token=abc', 'nothing'],
  ['/x?xaccess_token=abc&access_tokens=d&Access_Token=e&access-token=f&token=g', 'nothing'],
  ['/x?%61ccess_toke%6e=abc', 'query abc'],
  ['/x?access_token=a%62c', 'query abc'],
  ['/x?access_token=a%2Bb', 'query a+b'],
  ['/x?access_token=', 'token_malformed'],
  ['/x?access_token', 'token_malformed'],
  ['/x?access_token=a%20b', 'token_malformed'],
  ['/x?access_token=a+b', 'token_malformed'],
  ['/x?access_token=%zz', 'token_malformed'],
  ['/x?access_token=%C0%80', 'token_malformed'],
  ['/x?%zz=1&access_token=abc', 'query abc'],
  ['/x?access_token=a&access_token=b', 'credentials_ambiguous'],
  ['/x?access_token=a&access_token=a', 'credentials_ambiguous'],
  ['/x?access_token=a&access%5Ftoken=b', 'credentials_ambiguous'],
  ['/x?access_token=a&access_token', 'credentials_ambiguous'],
  ['/access_token=a', 'nothing'],
]
for (const [url, outcome] of queries) {
  t.test(`${url} gives ${outcome}`, async (t) => t.equal(found([], all, { url }), outcome))
}

const bodies: [body: unknown, outcome: string][] = [
  [undefined, 'nothing'],
  [null, 'nothing'],
  ['access_token=abc', 'nothing'],
  [{}, 'nothing'],
  [{ access_token: 'abc', other: 1 }, 'body abc'],
  [Object.assign(Object.create(null), { access_token: 'abc' }), 'body abc'],
  [Object.create({ access_token: 'abc' }), 'nothing'],
  [JSON.parse('{"__proto__":{"access_token":"abc"}}'), 'nothing'],
  [[{ access_token: 'abc' }], 'nothing'],
  [{ access_token: '' }, 'token_malformed'],
  [{ access_token: 7 }, 'token_malformed'],
  [{ access_token: null }, 'token_malformed'],
  [{ access_token: { toString: 'abc' } }, 'token_malformed'],
  [{ access_token: ['a', 'b'] }, 'credentials_ambiguous'],
  [{ access_token: ['a', 'a'] }, 'credentials_ambiguous'],
]
for (const [body, outcome] of bodies) {
  t.test(`the body ${JSON.stringify(body)} gives ${outcome}`, async (t) => {
    t.equal(found([], all, { body }), outcome)
  })
}

t.test('the header X-Access-Token contains only the token', async (t) => {
  t.equal(found([['X-Access-Token', 'a']], all), 'x-access-token a')
  t.equal(found([['x-access-token', 'a']], all), 'x-access-token a')
  t.equal(found([['X-Access-Token', 'Bearer a']], all), 'token_malformed')
  t.equal(found([['X-Access-Token', '']], all), 'token_malformed')
  t.equal(found([['X_Access_Token', 'a']], all), 'nothing')
})

/** A token in each transport. */
const PLACES: Readonly<Record<string, { raw?: [string, string][] } & Asked>> = {
  header: { raw: [['Authorization', 'Bearer a']] },
  cookie: { raw: [['Cookie', `${COOKIE}=a`]] },
  'x-access-token': { raw: [['X-Access-Token', 'a']] },
  query: { url: '/x?access_token=a' },
  body: { body: { access_token: 'a' } },
}
const SWITCHED_OFF: Readonly<Record<string, Partial<Transports>>> = {
  header: { header: false },
  cookie: { cookie: undefined },
  'x-access-token': { xAccessToken: false },
  query: { query: false },
  body: { body: false },
}

for (const [one, first] of Object.entries(PLACES)) {
  t.test(`${one}: found where it is enabled, alone, and ignored elsewhere`, async (t) => {
    t.equal(found(first.raw ?? [], all, first), `${one} a`)
    t.equal(found(first.raw ?? [], { ...all, ...SWITCHED_OFF[one] }, first), 'nothing')
    for (const [two, second] of Object.entries(PLACES)) {
      const raw = [...(first.raw ?? []), ...(second.raw ?? [])]
      const asked = { ...first, ...second }
      if (two !== one) {
        t.equal(found(raw, all, asked), 'credentials_ambiguous', `and ${two}`)
        t.equal(found(raw, { ...all, ...SWITCHED_OFF[two] }, asked), `${one} a`, `${two} is off`)
      } else if (raw.length > 0) {
        t.equal(found(raw, all, asked), 'credentials_ambiguous', 'twice')
      }
    }
  })
}
