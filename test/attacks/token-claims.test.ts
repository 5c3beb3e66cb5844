import t from 'tap'
import { encode, headerOf, seal } from '../support/access-tokens.js'
import { openTokenApp } from '../support/token-app.js'

t.test('claims that we never write are refused, even with our signature', async (t) => {
  const app = await openTokenApp(t)
  const { claims } = app
  const now = Math.floor(Date.now() / 1000)
  const wrong: Record<string, object> = {
    ...Object.fromEntries(
      ['iss', 'aud', 'sub', 'sid', 'jti', 'iat', 'exp'].flatMap((name) => [
        [`no ${name}`, { [name]: undefined }],
        ...[null, '', [], {}, true, [''], { toString: 'x' }].map((value) => [
          `${JSON.stringify(value)} for ${name}`,
          { [name]: value },
        ]),
      ]),
    ),
    'iat a minute ahead': { iat: now + 60, exp: now + 120 },
    'nbf a minute ahead': { nbf: now + 60 },
    'nbf as text': { nbf: String(now - 60) },
    'nbf null': { nbf: null },
    'exp as text': { exp: String(claims.exp) },
    'iat as text': { iat: String(claims.iat) },
    'exp in milliseconds': { exp: claims.exp * 1000 },
    'exp at the end of time': { exp: Number.MAX_SAFE_INTEGER },
    'exp − iat a second over the horizon': { exp: claims.iat + 901 },
    'iat in 1970': { iat: 0 },
    'a sub of 257 characters': { sub: 'x'.repeat(257) },
    'a jti of 257 characters': { jti: claims.jti + 'x'.repeat(257) },
    'a sid of 257 characters': { sid: 'x'.repeat(257) },
    'a number for sub': { sub: 1 },
    'a list for scope': { scope: ['admin'] },
    'another issuer': { iss: 'https://evil.example' },
    'the issuer in a list': { iss: [claims.iss] },
    'the issuer with a slash': { iss: `${claims.iss}/` },
    'another audience': { aud: 'https://evil.example' },
    'a list of other audiences': { aud: ['https://evil.example', `${String(claims.aud)}/`] },
    'a list with a number': { aud: [claims.aud, 1] },
  }
  for (const [name, change] of Object.entries(wrong)) {
    await app.refuses(t, app.forge({ claims: change }), 'token_invalid', name)
  }
  const right: Record<string, object> = {
    'nothing changed': {},
    'nbf passed': { nbf: now - 1 },
    'our audience among others': { aud: ['https://other.example', claims.aud] },
    'exp − iat at the horizon': { exp: claims.iat + 900 },
    'a sub of 256 characters': { sub: `alice${'x'.repeat(251)}` },
  }
  for (const [name, change] of Object.entries(right)) {
    t.equal((await app.bear(app.forge({ claims: change }))).status, 200, name)
  }
})

t.test('a number that JSON can write but no clock can mean is refused', async (t) => {
  const app = await openTokenApp(t)
  const text = JSON.stringify({ ...app.claims, exp: 'EXP', iat: 'IAT' })
  const withTimes = (exp: string, iat: string) => {
    const payload = text.replace('"EXP"', exp).replace('"IAT"', iat)
    return seal(encode(headerOf(app.key)), encode(payload), app.key)
  }
  const { exp, iat } = app.claims
  for (const [e, i] of [
    ['1e999', `${iat}`],
    [`${exp}`, '-1e999'],
    ['1e999', '1e999'],
    ['9e99', '9e99'],
    [`${exp}`, '-1e300'],
  ]) {
    await app.refuses(t, withTimes(e!, i!), 'token_invalid', `exp ${e}, iat ${i}`)
  }
  await app.passes(t, withTimes(`${exp}.0`, `${iat}e0`), 'other spellings of good numbers')
})

t.test('an expired token is reported as expired, to the second', async (t) => {
  const app = await openTokenApp(t)
  const now = Math.floor(Date.now() / 1000)
  for (const exp of [now, now - 1, now - 600]) {
    await app.refuses(t, app.forge({ claims: { iat: exp - 60, exp } }), 'token_expired', `${now - exp} s ago`)
  }
  await app.passes(t, app.forge({ claims: { iat: now - 60, exp: now + 60 } }), 'a minute left')
})

t.test('the sender of a token can’t set the time', async (t) => {
  const app = await openTokenApp(t)
  const now = Math.floor(Date.now() / 1000)
  const expired = app.forge({ claims: { iat: now - 90, exp: now - 60 } })
  const headers = { authorization: `Bearer ${expired}`, date: new Date(0).toUTCString(), 'x-timestamp': '0' }
  t.match(JSON.parse((await app.ask(headers)).body), { code: 'token_expired' })
})
