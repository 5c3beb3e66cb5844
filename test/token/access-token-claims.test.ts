import t from 'tap'
import { PortcullisError } from '../../src/errors.js'
import { verifyClaims } from '../../src/token/access-token.js'
import type { ClaimSettings } from '../../src/token/access-token.js'
import { AUDIENCE, ISSUER } from '../support/access-tokens.js'

const NOW = 1_800_000_000
/** What the denylist gives as the latest `iat`, from `now`. */
const AHEAD = 2_000
const TIMES = { now: NOW * 1000, latestIssue: NOW * 1000 + AHEAD }
const rules: ClaimSettings = { issuer: ISSUER, audience: AUDIENCE, horizon: 900_000, leeway: 0 }
const good = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'alice',
  sid: 's',
  jti: 'j',
  iat: NOW - 100,
  exp: NOW + 800,
}

/** The reason that the claims are refused for; else whether they have expired. */
function judged(
  change: object,
  { at = NOW * 1000, ...with_ }: Partial<ClaimSettings> & { at?: number } = {},
) {
  try {
    const times = { now: at, latestIssue: at + AHEAD }
    return verifyClaims({ ...good, ...change }, { ...rules, ...with_ }, times).expired ? 'expired' : 'good'
  } catch (error) {
    if (error instanceof PortcullisError && error.code === 'token_invalid') return error.reason
    throw error
  }
}

t.test('valid claims are returned unchanged', async (t) => {
  const claims = { ...good, role: 'editor', nested: { a: [1] } }
  t.strictSame(verifyClaims(claims, rules, TIMES), { claims, expired: false })
})

const longest = 'x'.repeat(256)
const FUTURE = 'iat is in the future'
const TOO_LONG = 'exp − iat is longer than revocation.horizon'

const cases: [name: string, change: object, outcome: string, settings?: Parameters<typeof judged>[1]][] = [
  ['a ms before exp', {}, 'good', { at: (NOW + 800) * 1000 - 1 }],
  ['at exp', {}, 'expired', { at: (NOW + 800) * 1000 }],
  ['a ms before exp + leeway', {}, 'good', { at: (NOW + 805) * 1000 - 1, leeway: 5_000 }],
  ['at exp + leeway', {}, 'expired', { at: (NOW + 805) * 1000, leeway: 5_000 }],
  ['a fraction of a second in exp', { exp: NOW + 0.5 }, 'good', { at: NOW * 1000 + 499 }],
  ['a fraction of a second in exp, reached', { exp: NOW + 0.5 }, 'expired', { at: NOW * 1000 + 500 }],
  ['exp of 0', { exp: 0 }, 'expired'],
  ['a negative exp', { exp: -1 }, 'expired'],
  ['exp before iat', { iat: NOW + 1, exp: NOW }, 'expired'],

  ['the latest iat', { iat: NOW + 2 }, 'good'],
  ['iat 1 ms later', { iat: NOW + 2.001 }, FUTURE],
  ['iat later by the clock', { iat: NOW + 2 }, FUTURE, { at: NOW * 1000 - 1 }],
  ['a later iat, whatever the leeway', { iat: NOW + 3 }, FUTURE, { leeway: 60_000 }],
  ['iat of 0', { iat: 0 }, TOO_LONG],
  ['a negative iat', { iat: -NOW }, TOO_LONG],
  ['exp − iat at the horizon', { iat: NOW, exp: NOW + 900 }, 'good'],
  ['exp − iat 1 ms over the horizon', { iat: NOW, exp: NOW + 900.001 }, TOO_LONG],
  ['exp − iat 1 s over the horizon', { iat: NOW, exp: NOW + 901 }, TOO_LONG],
  [
    'exp − iat over the horizon, whatever the leeway',
    { iat: NOW, exp: NOW + 901 },
    TOO_LONG,
    { leeway: 60_000 },
  ],
  ['an expired token over the horizon', { iat: NOW - 2_000, exp: NOW - 1_000 }, TOO_LONG],
  ['a huge exp', { exp: 1e300 }, TOO_LONG],
  ['exp and iat that overflow', { iat: 1e306, exp: 1e306 }, FUTURE],
  ['a hugely negative iat and exp', { iat: -1e306, exp: -1e306 }, 'expired'],
  ['a hugely negative iat', { iat: -1e306 }, TOO_LONG],
  ['the largest exp', { exp: Number.MAX_VALUE }, TOO_LONG],

  ['nbf now', { nbf: NOW }, 'good'],
  ['nbf a ms ahead', { nbf: NOW }, 'nbf', { at: NOW * 1000 - 1 }],
  ['nbf as far ahead as the leeway', { nbf: NOW + 5 }, 'good', { leeway: 5_000 }],
  ['nbf a ms further ahead', { nbf: NOW + 5.001 }, 'nbf', { leeway: 5_000 }],
  ['a negative nbf', { nbf: -1 }, 'good'],

  ['another issuer', { iss: 'https://other.example' }, 'iss'],
  ['the issuer with a slash', { iss: `${ISSUER}/` }, 'iss'],
  ['the issuer in capitals', { iss: ISSUER.toUpperCase() }, 'iss'],
  ['the issuer in a list', { iss: [ISSUER] }, 'iss'],
  ['no issuer', { iss: undefined }, 'iss'],
  ['another audience', { aud: 'https://other.example' }, 'aud'],
  ['a longer audience', { aud: `${AUDIENCE}.evil.example` }, 'aud'],
  ['the audience in a list', { aud: [AUDIENCE] }, 'good'],
  ['the audience among others', { aud: ['x', AUDIENCE] }, 'good'],
  ['a list without the audience', { aud: ['x', `${AUDIENCE}/`] }, 'aud'],
  ['an empty list', { aud: [] }, 'aud'],
  ['a list with a number', { aud: [AUDIENCE, 1] }, 'aud'],
  ['a list with null', { aud: [null, AUDIENCE] }, 'aud'],
  ['a list in a list', { aud: [[AUDIENCE]] }, 'aud'],
  ['an object that looks like a list', { aud: { 0: AUDIENCE, length: 1 } }, 'aud'],
  ['no audience', { aud: undefined }, 'aud'],

  ...['sub', 'sid', 'jti', 'client_id'].flatMap((id): typeof cases => [
    [`${id} of 256 characters`, { [id]: longest }, 'good'],
    [`${id} of 257 characters`, { [id]: `${longest}x` }, id],
    [`an empty ${id}`, { [id]: '' }, id],
    ...[null, 1, true, ['a'], { a: 1 }].map((value): (typeof cases)[number] => [
      `${JSON.stringify(value)} for ${id}`,
      { [id]: value },
      id,
    ]),
    [`no ${id}`, { [id]: undefined }, id === 'client_id' ? 'good' : id],
    [`__proto__ for ${id}`, { [id]: '__proto__' }, 'good'],
  ]),
  ...['iat', 'exp', 'nbf'].flatMap((time): typeof cases => [
    ...[null, String(NOW), '', true, [NOW], { valueOf: NOW }, NaN, Infinity, -Infinity].map(
      (value): (typeof cases)[number] => [
        `${typeof value === 'number' ? value : JSON.stringify(value)} for ${time}`,
        { [time]: value },
        time,
      ],
    ),
    [`no ${time}`, { [time]: undefined }, time === 'nbf' ? 'good' : time],
  ]),
  ['a scope', { scope: 'a b' }, 'good'],
  ['an empty scope', { scope: '' }, 'good'],
  ['a list for scope', { scope: ['admin'] }, 'scope'],
  ['null for scope', { scope: null }, 'scope'],
]

for (const [name, change, outcome, settings] of cases) {
  t.test(`${name}: ${outcome}`, async (t) => t.equal(judged(change, settings), outcome))
}

t.test('inherited claims don’t count', async (t) => {
  const payload = JSON.parse(`{"__proto__": ${JSON.stringify(good)}}`) as Record<string, unknown>
  t.throws(() => verifyClaims(payload, rules, TIMES), { code: 'token_invalid' })
  const both = { ...good, ...(JSON.parse('{"__proto__": {"sub": "root"}}') as object) }
  t.equal(verifyClaims(both, rules, TIMES).claims.sub, 'alice')
  t.notOk('root' in {}, 'and nothing is polluted')
})
