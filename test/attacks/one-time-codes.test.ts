/** An attacker has a code, or part of what belongs to it, and tries to get a session with it. */
import { createHash } from 'node:crypto'
import t from 'tap'
import { openCodeApp } from '../support/code-app.js'

const VERIFIER = 'v'.repeat(43)
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url')
const REFUSED = { status: 400, body: { error: 'invalid_grant' } }

async function setUp(t: Parameters<typeof openCodeApp>[0], conditions: object = {}) {
  const app = await openCodeApp(t)
  const login = await app.logIn()
  const code = (await app.issueCode(login.access_token, conditions)).body['code']!
  return { app, login, code }
}

t.test('a code can’t be used in the name of another client, and stays good for its own', async (t) => {
  const { app, code } = await setUp(t, { client_id: 'web' })
  for (const client_id of ['other', 'WEB', 'web ', 'web\u0000', 'portcullis'])
    t.match(await app.exchange({ code, client_id }), REFUSED)
  t.match(await app.exchange({ code }), REFUSED)
  t.equal((await app.exchange({ code, client_id: 'web' })).status, 200)
})

t.test('a code with a challenge is of no use without its verifier', async (t) => {
  const { app, code } = await setUp(t, { code_challenge: CHALLENGE })
  const guesses: Record<string, string>[] = [
    {},
    { code_verifier: '' },
    // The verifier of the method `plain` would be the challenge itself.
    { code_verifier: CHALLENGE },
    { code_verifier: CHALLENGE, code_challenge_method: 'plain' },
    { code_verifier: 'w'.repeat(43) },
    { code_verifier: `${VERIFIER}v` },
    { code_verifier: VERIFIER.slice(1) },
    { code_verifier: VERIFIER.toUpperCase() },
    { code_challenge: CHALLENGE },
  ]
  for (const guess of guesses) t.match(await app.exchange({ code, ...guess }), REFUSED, JSON.stringify(guess))
  t.equal(
    (await app.exchange({ code, code_verifier: VERIFIER })).status,
    200,
    'the owner still gets a session',
  )
})

t.test('a challenge that was removed on the way makes the owner’s exchange fail', async (t) => {
  const { app, code } = await setUp(t)
  t.match(await app.exchange({ code, code_verifier: VERIFIER }), REFUSED)
  t.match(await app.exchange({ code, code_verifier: 'short' }), REFUSED, 'a malformed verifier isn’t none')
})

t.test('the method can’t be downgraded to plain', async (t) => {
  const { app, login } = await setUp(t)
  for (const code_challenge_method of ['plain', 'PLAIN', '', 'none', null]) {
    const body = { code_challenge: CHALLENGE, code_challenge_method }
    t.match(await app.issueCode(login.access_token, body), { status: 400, body: { code: 'invalid_request' } })
  }
})

t.test('a wrong verifier or client never ends the session of the owner', async (t) => {
  const { app, code } = await setUp(t, { code_challenge: CHALLENGE, client_id: 'web' })
  const good = { code, code_verifier: VERIFIER, client_id: 'web' }
  const { body } = await app.exchange(good)
  for (const guess of [{ code }, { ...good, client_id: 'x' }, { ...good, code_verifier: 'w'.repeat(43) }])
    t.match(await app.exchange(guess), REFUSED)
  t.equal((await app.me(body['access_token']!)).status, 200)
})

t.test('a code is of no use after the logout of the session that issued it', async (t) => {
  for (const all of [false, true]) {
    const { app, login, code } = await setUp(t)
    t.equal((await app.logOut(login.access_token, { all })).status, 204)
    t.match(await app.exchange({ code }), REFUSED)
    t.match(await app.exchange({ code }), REFUSED)
    t.match(await app.issueCode(login.access_token), { status: 401, body: { code: 'session_ended' } })
  }
})

t.test('a code is of no use after its subject or everybody was revoked', async (t) => {
  for (const what of [{ sub: 'alice' }, { all: true } as const]) {
    const { app, code } = await setUp(t)
    await app.app.portcullis.revoke(what)
    t.match(await app.exchange({ code }), REFUSED, JSON.stringify(what))
  }
})

t.test('a code is neither an access token nor a refresh token, and neither of them is a code', async (t) => {
  const { app, login, code } = await setUp(t)
  t.match(await app.me(code), { status: 401, body: { code: 'token_malformed' } })
  t.match(await app.refresh(code), { status: 401, body: { code: 'refresh_token_invalid' } })
  t.match(await app.token({ grant_type: 'refresh_token', refresh_token: code }), REFUSED)
  for (const other of [login.access_token, login.refresh_token])
    t.match(await app.exchange({ code: other }), REFUSED)
  t.match(await app.token({ grant_type: 'refresh_token', refresh_token: login.access_token }), REFUSED)
  t.equal((await app.exchange({ code })).status, 200, 'none of these used up the code')
})

t.test('a code in the query, in a header or in a cookie has no effect', async (t) => {
  const { app, code } = await setUp(t)
  const url = `/auth/token?grant_type=authorization_code&code=${code}`
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const MISSING = { status: 400, body: { error: 'invalid_request' } }
  t.match(await app.send(url, { payload: '', headers }), MISSING)
  t.match(await app.send(url, { payload: 'grant_type=authorization_code', headers }), MISSING)
  const elsewhere = { authorization: `Bearer ${code}`, cookie: `code=${code}` }
  t.match(await app.form('grant_type=authorization_code', { headers: elsewhere }), MISSING)
  t.equal((await app.exchange({ code })).status, 200)
})

t.test('the refresh cookie of a browser has no effect at the token route', async (t) => {
  const { app, login } = await setUp(t)
  const headers = { cookie: `refresh=${login.refresh_token}; access=${login.access_token}` }
  t.match(await app.form('grant_type=refresh_token', { headers }), {
    status: 400,
    body: { error: 'invalid_request' },
  })
})

t.test('codes of unusual lengths are refused without a look-up', async (t) => {
  const { app, code } = await setUp(t)
  for (const wrong of ['a'.repeat(3_000), code + code, code.slice(1), `${code}=`, ` ${code}`, `${code}\n`])
    t.match(await app.exchange({ code: wrong }), REFUSED)
  t.equal((await app.exchange({ code })).status, 200)
})
