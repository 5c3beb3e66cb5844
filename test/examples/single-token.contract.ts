/** The numbers of a system with single tokens: 15 minutes, 72 hours, 50 exchanges. */
import type { Test } from 'tap'
import { HOUR, MINUTE, SECOND, moveTime, untilReady } from '../support/moved-time.js'
import { startExample } from '../support/scheme-examples.js'
import { claimsOf } from '../support/sessions.js'

interface Body {
  access_token: string
  expires_in: number
  session_expires_in: number
  session_id: string
  code?: string
}

interface Client {
  login(username: string, password: string): Promise<Body>
  renew(): Promise<Body>
  request(path: string): Promise<Response>
  logout(): Promise<Response>
}

interface Exports {
  createClient(url: string, options?: { onSignedOut(code: string): void }): Client
}

export function singleTokenContract(t: Test, store: (t: Test) => Promise<object>, options: object = {}) {
  const open = async (t: Test) => {
    const { apps, urls, client } = await startExample<Exports>(t, 'single-token', await store(t))
    const [app, url] = [apps[0]!, urls[0]!]
    const signedOut: string[] = []
    const newClient = () => client.createClient(url, { onSignedOut: (code) => signedOut.push(code) })
    const later = async (milliseconds: number) => {
      await moveTime(t, milliseconds)
      await untilReady(app)
    }
    const post = async (path: string, { token, json }: { token?: string; json?: object } = {}) => {
      const headers = {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(json && { 'content-type': 'application/json' }),
      }
      const body = json ? JSON.stringify(json) : null
      const response = await fetch(`${url}${path}`, { method: 'POST', headers, body })
      return { status: response.status, body: (await response.json()) as Body }
    }
    const profile = async (token: string) => {
      const response = await fetch(`${url}/profile`, { headers: { authorization: `Bearer ${token}` } })
      const { code } = (await response.json()) as Body
      return code ?? response.status
    }
    return { client: newClient(), newClient, signedOut, later, post, profile }
  }

  t.test('a token lives for 15 minutes, and the client exchanges it then', options, async (t) => {
    const { client, later, profile, signedOut } = await open(t)
    t.match(await client.login('ada', 'wrong'), { status: 401, code: 'invalid_credentials' })
    const first = await client.login('ada', 'gate-keeper-1843')
    t.match(first, {
      token_type: 'Bearer',
      access_token: String,
      expires_in: 15 * 60,
      session_expires_in: 72 * 3600,
      session_id: String,
    })
    t.notOk('refresh_token' in first)
    t.notOk('refresh_expires_in' in first)
    t.same(await (await client.request('/profile')).json(), { user: 'ada', name: 'Ada' })

    await later(14 * MINUTE)
    t.equal(await profile(first.access_token), 200)
    await later(1 * MINUTE)
    t.equal(await profile(first.access_token), 'token_expired')
    const together = await Promise.all([1, 2, 3].map(() => client.request('/profile')))
    t.strictSame(
      together.map(({ status }) => status),
      [200, 200, 200],
    )
    const last = await client.renew()
    t.equal(last.session_id, first.session_id)
    t.equal(last.expires_in, 15 * 60)
    t.ok(last.session_expires_in <= 72 * 3600 - 15 * 60)
    t.ok(last.session_expires_in > 72 * 3600 - 16 * 60)
    t.strictSame(signedOut, [])
  })

  t.test('a retry returns an equal token; an older token ends the session', options, async (t) => {
    const { client, later, post, profile } = await open(t)
    const { access_token: first } = await client.login('ada', 'gate-keeper-1843')
    await later(15 * MINUTE)
    const second = (await post('/auth/renew', { token: first })).body.access_token
    const retries = await Promise.all([1, 2, 3].map(() => post('/auth/renew', { token: first })))
    for (const { status, body } of retries) {
      t.equal(status, 200)
      t.strictSame(claimsOf(body.access_token), claimsOf(second))
    }
    await later(11 * SECOND)
    t.match(await post('/auth/renew', { token: first }), {
      status: 401,
      body: { code: 'refresh_token_reused' },
    })
    t.equal(await profile(second), 'session_ended')
    t.match(await post('/auth/renew', { token: second }), { status: 401, body: { code: 'session_ended' } })
  })

  t.test('the 51st exchange is refused', options, async (t) => {
    const { client, later, signedOut, profile } = await open(t)
    let body = await client.login('ada', 'gate-keeper-1843')
    for (let count = 1; count <= 50; count += 1) {
      body = await client.renew()
      t.equal(body.code, undefined, `exchange ${count}`)
    }
    t.match(await client.renew(), { status: 401, code: 'refresh_limit_reached' })
    t.strictSame(signedOut, ['refresh_limit_reached'])
    t.equal(await profile(body.access_token), 200, 'the last token lives until it expires')
    await later(15 * MINUTE)
    t.equal(await profile(body.access_token), 'token_expired')
    t.equal((await client.login('ada', 'gate-keeper-1843')).session_expires_in, 72 * 3600)
  })

  t.test('72 hours after the login, a new one is needed', options, async (t) => {
    const { client, later, signedOut } = await open(t)
    await client.login('bob', 'drawbridge-1066')
    await later(72 * HOUR - 5 * MINUTE)
    t.equal((await client.request('/profile')).status, 200, 'the first token is exchanged after 3 days')
    const last = await client.renew()
    t.ok(last.session_expires_in <= 5 * 60 && last.expires_in <= 5 * 60, 'no token outlives its session')
    await later(5 * MINUTE)
    t.equal((await client.request('/profile')).status, 401)
    t.strictSame(signedOut, ['reauthentication_required'])
    t.equal((await client.login('bob', 'drawbridge-1066')).expires_in, 15 * 60)
    t.equal((await client.request('/profile')).status, 200)
  })

  t.test('a logout ends the token at once, and every exchange', options, async (t) => {
    const { client, newClient, later, post, profile, signedOut } = await open(t)
    const other = newClient()
    await other.login('ada', 'gate-keeper-1843')
    const { access_token: token } = await client.login('ada', 'gate-keeper-1843')
    t.equal((await client.logout()).status, 204)
    t.equal(await profile(token), 'session_ended')
    t.match(await post('/auth/renew', { token }), { status: 401, body: { code: 'session_ended' } })
    t.equal((await client.request('/profile')).status, 401)
    t.strictSame(signedOut, ['session_ended'])
    t.equal((await other.request('/profile')).status, 200, 'another session of the user continues')

    await later(15 * MINUTE)
    t.match(await post('/auth/renew', { token }), { status: 401, body: { code: 'session_ended' } })
    t.equal((await other.logout()).status, 204, 'an expired token logs out, too')
    t.equal((await other.renew()).code, 'session_ended')
  })

  t.test('a client from before exchanges its token by the route that it knows', options, async (t) => {
    const { client, post, profile, later } = await open(t)
    const { access_token: token } = await client.login('ada', 'gate-keeper-1843')
    await later(15 * MINUTE)
    const { status, body } = await post('/refresh', { json: { token } })
    t.match({ status, body }, { status: 200, body: { token: String, expiresIn: 15 * 60 } })
    t.equal(await profile((body as unknown as { token: string }).token), 200)
    for (const [json, refused, code] of [
      [{}, 401, 'credentials_missing'],
      [{ token: 5 }, 400, 'invalid_request'],
      [{ token: 'a.b.c' }, 401, 'token_malformed'],
    ] as const)
      t.match(await post('/refresh', { json }), { status: refused, body: { code } })
  })
}
