import t from 'tap'
import { PortcullisError } from '../../src/errors.js'
import { selectKey } from '../../src/token/access-token.js'
import type { KeyVerifier } from '../../src/token/access-token.js'
import { encode, otherSpellings } from '../support/access-tokens.js'

const es: KeyVerifier = { kid: 'kid-1', algorithm: 'ES256', verify: () => ({}) }
const rs: KeyVerifier = { kid: 'kid-2', algorithm: 'RS256', verify: () => ({}) }
const keys = new Map([es, rs].map((key) => [key.kid, key]))
const header = { alg: 'ES256', typ: 'at+jwt', kid: 'kid-1' }
const token = (change: object | string = {}) =>
  `${encode(typeof change === 'string' ? change : { ...header, ...change })}.e30.AAAA`

function refusalOf(text: string): PortcullisError | undefined {
  try {
    selectKey(text, keys)
    return undefined
  } catch (error) {
    if (error instanceof PortcullisError) return error
    throw error
  }
}

t.test('the header selects the key', async (t) => {
  t.equal(selectKey(token(), keys), es)
  t.equal(selectKey(token({ kid: 'kid-2', alg: 'RS256' }), keys), rs)
})

for (const typ of ['at+jwt', 'AT+JWT', 'At+Jwt', 'application/at+jwt', 'Application/AT+jwt']) {
  t.test(`typ ${typ} is accepted (RFC 9068 §4, media types ignore case)`, async (t) => {
    t.equal(selectKey(token({ typ }), keys), es)
  })
}

const invalid: [change: object, reason: string][] = [
  ...[
    'JWT',
    'jwt',
    'at jwt',
    'at+jwt ',
    ' at+jwt',
    'at+jwt\0',
    'rt+jwt',
    '',
    'application/',
    'text/at+jwt',
  ].map((typ) => [{ typ }, 'typ'] as [object, string]),
  [{ typ: 'application/application/at+jwt' }, 'typ'],
  [{ typ: undefined }, 'typ'],
  [{ typ: null }, 'typ'],
  [{ typ: ['at+jwt'] }, 'typ'],
  [{ kid: undefined }, 'kid'],
  [{ kid: null }, 'kid'],
  [{ kid: 1 }, 'kid'],
  [{ kid: ['kid-1'] }, 'kid'],
  [{ kid: 'kid-3' }, 'kid'],
  [{ kid: 'KID-1' }, 'kid'],
  [{ kid: 'constructor' }, 'kid'],
  [{ alg: undefined }, 'alg'],
  [{ alg: 'none' }, 'alg'],
  [{ alg: 'es256' }, 'alg'],
  [{ alg: ['ES256'] }, 'alg'],
  [{ alg: 'RS256' }, 'alg'],
  [{ kid: 'kid-2' }, 'alg'],
  ...['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c'].flatMap((name) =>
    [null, undefined, true, false, '', [], {}]
      .filter((value) => value !== undefined)
      .map((value) => [{ [name]: value }, `header has ${name}`] as [object, string]),
  ),
]
for (const [change, reason] of invalid) {
  t.test(`a header with ${JSON.stringify(change)} is refused for its ${reason}`, async (t) => {
    t.match(refusalOf(token(change)), { code: 'token_invalid', reason })
  })
}

const good = token()
const [h, p, s] = good.split('.') as [string, string, string]
const malformed: Record<string, string> = {
  nothing: '',
  'dots alone': '..',
  'one part': h,
  'two parts': `${h}.${p}`,
  'four parts': `${good}.AAAA`,
  'five parts, as a JWE': `${good}.AAAA.AAAA`,
  'a dot at the end': `${good}.`,
  'a dot at the beginning': `.${good}`,
  'no header': `.${p}.${s}`,
  'no payload': `${h}..${s}`,
  'no signature': `${h}.${p}.`,
  'padding in the header': `${h}=.${p}.${s}`,
  'padding in the payload': `${h}.${p}=.${s}`,
  'padding in the signature': `${good}=`,
  'a space in the header': `${h.slice(0, 4)} ${h.slice(4)}.${p}.${s}`,
  'a newline in the payload': `${h}.e3\n0.${s}`,
  'a newline at the end': `${good}\n`,
  'a tab in the signature': `${h}.${p}.AA\tAA`,
  'a zero byte': `${good}\0`,
  'base64 that isn’t base64url': `${h}.${p}.AA+/`,
  'a length that no bytes have': `${h}.${p}.AAAAA`,
  'a letter that isn’t ASCII': `${h}.${p}.ÀAAA`,
  'a header that is no JSON': token('{'),
  'a header with something after it': token(`${JSON.stringify(header)}x`),
  'a byte order mark': token(`\uFEFF${JSON.stringify(header)}`),
  'a list for a header': token(`[${JSON.stringify(header)}]`),
  'text for a header': token('"ES256"'),
  'a number for a header': token('1'),
  'null for a header': token('null'),
  'true for a header': token('true'),
}
for (const [name, text] of Object.entries(malformed)) {
  t.test(`${name} is malformed`, async (t) => t.match(refusalOf(text), { code: 'token_malformed' }))
}

t.test('white space in the header’s JSON is allowed', async (t) => {
  t.equal(selectKey(token(` ${JSON.stringify(header, undefined, 2)}\n`), keys), es)
})

for (const [bytes, spare] of [
  [31, 15],
  [32, 3],
  [33, 0],
  [64, 15],
  [66, 0],
] as const) {
  t.test(`a part of ${bytes} bytes has one spelling; its ${spare} others are malformed`, async (t) => {
    const part = Buffer.alloc(bytes, 0xa7).toString('base64url')
    t.equal(refusalOf(`${h}.${p}.${part}`), undefined)
    t.equal(refusalOf(`${h}.${part}.${s}`), undefined)
    const others = otherSpellings(part)
    t.equal(others.length, spare)
    for (const other of others) {
      t.match(refusalOf(`${h}.${p}.${other}`), { code: 'token_malformed' }, `signature …${other.slice(-3)}`)
      t.match(refusalOf(`${h}.${other}.${s}`), { code: 'token_malformed' }, `payload …${other.slice(-3)}`)
    }
  })
}

t.test('the header has one spelling, too', async (t) => {
  const headers = ['', ' ', '  '].map((space) => encode(`${JSON.stringify(header)}${space}`))
  for (const text of headers) t.equal(refusalOf(`${text}.${p}.${s}`), undefined)
  const others = headers.flatMap(otherSpellings)
  t.equal(others.length, 15 + 3)
  for (const other of others) t.match(refusalOf(`${other}.${p}.${s}`), { code: 'token_malformed' })
})

t.test('8192 characters are accepted, one more is not', async (t) => {
  const filled = (length: number) => `${h}.${p}.`.padEnd(length, 'A')
  t.equal(refusalOf(filled(8_192)), undefined)
  t.match(refusalOf(filled(8_194)), { code: 'token_malformed', reason: 'too long' })
  t.match(refusalOf(`${h}.${p}.${'A'.repeat(10_000_000)}`), { code: 'token_malformed', reason: 'too long' })
})
