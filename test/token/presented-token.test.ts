import t from 'tap'
import { PortcullisError } from '../../src/errors.js'
import { findPresentedToken, readPresentedToken } from '../../src/token/presented-token.js'
import type { Transports } from '../../src/token/presented-token.js'

const COOKIE = '__Host-access'
const both: Transports = { header: true, cookie: COOKIE, xAccessToken: false, query: false, body: false }

/** What is found, as transport and token; the code of a refusal; or nothing. */
function found(raw: [name: string, value: string][], transports = both): string {
  try {
    const credentials = readPresentedToken({ target: '/', rawHeaders: raw.flat() }, transports)
    return credentials ? `${credentials.transport} ${credentials.token}` : 'nothing'
  } catch (error) {
    if (error instanceof PortcullisError) return error.code
    throw error
  }
}

const headers: [value: string, outcome: string][] = [
  ['Bearer abc', 'header abc'],
  ['bearer abc', 'header abc'],
  ['BEARER abc', 'header abc'],
  ['Bearer    abc', 'header abc'],
  ['Bearer a.b-c_d~e+f/g==', 'header a.b-c_d~e+f/g=='],
  ['Bearer', 'token_malformed'],
  ['Bearer ', 'token_malformed'],
  ['Bearer a b', 'token_malformed'],
  ['Bearer abc ', 'token_malformed'],
  ['Bearer abc\u00A0', 'token_malformed'],
  ['Bearer abc, Bearer def', 'token_malformed'],
  ['Bearer abc,Basic def', 'token_malformed'],
  ['Bearer "abc"', 'token_malformed'],
  ['Bearer {"payload":"e30"}', 'token_malformed'],
  ['Bearer Bearer abc', 'token_malformed'],
  ['Bearer =abc', 'token_malformed'],
  ['Bearer a=b', 'token_malformed'],
  ['Bearer ab\u00e9', 'token_malformed'],
  ['Bearer token="abc"', 'token_malformed'],
  ['Bearerabc', 'nothing'],
  ['Bearer-Token abc', 'nothing'],
  ['Bearer abc\n', 'token_malformed'],
  ['Bearer a\nb', 'token_malformed'],
  ['Bearer\tabc', 'nothing'],
  ['\u00A0Bearer abc', 'nothing'],
  ['Basic YTpi', 'nothing'],
  ['DPoP abc', 'nothing'],
  ['abc', 'nothing'],
  ['', 'nothing'],
]
for (const [value, outcome] of headers) {
  t.test(`Authorization: ${JSON.stringify(value)} gives ${outcome}`, async (t) => {
    t.equal(found([['Authorization', value]]), outcome)
  })
}

const requests: [name: string, raw: [string, string][], outcome: string, transports?: Transports][] = [
  ['no headers', [], 'nothing'],
  ['the header’s name in capitals', [['AUTHORIZATION', 'Bearer a']], 'header a'],
  ['a cookie', [['cookie', `${COOKIE}=a`]], 'cookie a'],
  ['a cookie among others', [['Cookie', `x=1; ${COOKIE}=a; y=2`]], 'cookie a'],
  ['an empty cookie', [['cookie', `${COOKIE}=`]], 'token_malformed'],
  ['a quoted cookie', [['cookie', `${COOKIE}="a"`]], 'token_malformed'],
  ['another’s cookie', [['cookie', 'access=a; __host-access=b; __Secure-access=c']], 'nothing'],
  [
    'two headers',
    [
      ['Authorization', 'Bearer a'],
      ['authorization', 'Bearer b'],
    ],
    'credentials_ambiguous',
  ],
  [
    'two equal headers',
    [
      ['Authorization', 'Bearer a'],
      ['Authorization', 'Bearer a'],
    ],
    'credentials_ambiguous',
  ],
  [
    'a good and an empty header',
    [
      ['Authorization', 'Bearer a'],
      ['Authorization', 'Bearer'],
    ],
    'credentials_ambiguous',
  ],
  [
    'another scheme and then ours',
    [
      ['Authorization', 'Basic a'],
      ['Authorization', 'Bearer b'],
    ],
    'header b',
  ],
  [
    'our scheme and then another',
    [
      ['Authorization', 'Bearer b'],
      ['Authorization', 'Basic a'],
    ],
    'header b',
  ],
  [
    'header and cookie',
    [
      ['Authorization', 'Bearer a'],
      ['cookie', `${COOKIE}=b`],
    ],
    'credentials_ambiguous',
  ],
  [
    'equal header and cookie',
    [
      ['Authorization', 'Bearer a'],
      ['cookie', `${COOKIE}=a`],
    ],
    'credentials_ambiguous',
  ],
  [
    'another scheme and a cookie',
    [
      ['Authorization', 'Basic a'],
      ['cookie', `${COOKIE}=b`],
    ],
    'cookie b',
  ],
  ['two cookies', [['cookie', `${COOKIE}=a; ${COOKIE}=b`]], 'credentials_ambiguous'],
  ['two equal cookies', [['cookie', `${COOKIE}=a;${COOKIE}=a`]], 'credentials_ambiguous'],
  ['a header where none is taken', [['Authorization', 'Bearer a']], 'nothing', { ...both, header: false }],
  ['a cookie where none is taken', [['cookie', `${COOKIE}=a`]], 'nothing', { ...both, cookie: undefined }],
  [
    'a cookie beside the header, where no cookie is taken',
    [
      ['Authorization', 'Bearer a'],
      ['cookie', `${COOKIE}=b`],
    ],
    'header a',
    { ...both, cookie: undefined },
  ],
  [
    'other headers',
    [
      ['X-Access-Token', 'a'],
      ['Proxy-Authorization', 'Bearer a'],
      ['X-Authorization', 'Bearer a'],
    ],
    'nothing',
  ],
]
for (const [name, raw, outcome, transports] of requests) {
  t.test(`${name}: ${outcome}`, async (t) => t.equal(found(raw, transports), outcome))
}

t.test('findPresentedToken accepts any form of token and leaves its check to the verifier', async (t) => {
  const find = (...values: string[]) =>
    findPresentedToken({ target: '/', rawHeaders: values.flatMap((value) => ['Authorization', value]) }, both)
  t.strictSame(find('Bearer  a b'), { token: 'a b', transport: 'header' })
  t.strictSame(find('bearer'), { token: '', transport: 'header' })
  t.equal(find('Basic a'), undefined)
  t.throws(() => find('Bearer a b', 'Bearer'), { code: 'credentials_ambiguous' })
})

t.test('a long header takes linear time', async (t) => {
  const values = [
    `Bearer ${' '.repeat(60_000)}!`,
    `Bearer ${'='.repeat(60_000)}!`,
    `Bearer ${'a'.repeat(60_000)}!`,
  ]
  const begin = performance.now()
  for (const value of values) t.equal(found([['Authorization', value]]), 'token_malformed')
  t.ok(performance.now() - begin < 500)
})
