/** The numbers of a system with sliding renewal: 15 minutes, renewed with less than a minute left, for 12 hours. */
import type { Test } from 'tap'
import { HOUR, MINUTE, SECOND, moveTime, untilReady } from '../support/moved-time.js'
import { startExample } from '../support/scheme-examples.js'
import { claimsOf } from '../support/sessions.js'

interface Client {
  login(username: string, password: string): Promise<Record<string, unknown>>
  request(path: string): Promise<Response>
  logout(): Promise<Response>
}

interface Exports {
  createClient(url: string, options?: { onSignedOut(code: string): void }): Client
}

const ADA = ['ada', 'gate-keeper-1843'] as const
const RENEWED = 'x-renewed-access-token'
const RENEWED_EXPIRES_IN = 'x-renewed-expires-in'
const COOKIE = '__Host-access'

export function slidingRenewalContract(t: Test, store: (t: Test) => Promise<object>, options: object = {}) {
  const open = async (t: Test) => {
    const { apps, urls, client } = await startExample<Exports>(t, 'sliding-renewal', await store(t))
    const url = urls[0]!
    const signedOut: string[] = []
    const { login, logout, request } = client.createClient(url, {
      onSignedOut: (code) => signedOut.push(code),
    })
    const later = async (milliseconds: number) => {
      await moveTime(t, milliseconds)
      await untilReady(apps[0]!)
    }
    const send = (path: string, { token, cookie, method = 'GET', json }: Send = {}) =>
      fetch(`${url}${path}`, {
        method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(cookie !== undefined && { cookie: `${COOKIE}=${cookie}` }),
          ...(method === 'POST' && { origin: url, 'content-type': 'application/json' }),
        },
        body: json ? JSON.stringify(json) : null,
      })
    const profile = () => request('/profile')
    return { login, logout, profile, send, later, signedOut }
  }

  t.test('with less than a minute left, the response brings a new token', options, async (t) => {
    const { login, profile, send, later, signedOut } = await open(t)
    t.match(await login('ada', 'wrong'), { status: 401, code: 'invalid_credentials' })
    const tokens = await login(...ADA)
    t.match(tokens, { access_token: String, expires_in: 15 * 60, session_expires_in: 12 * 3600 })
    t.notOk('refresh_token' in tokens)
    const first = tokens['access_token'] as string

    await later(13 * MINUTE + 50 * SECOND)
    const early = await profile()
    t.equal(early.headers.get(RENEWED), null, 'more than a minute is left')
    t.same(await early.json(), { user: 'ada', name: 'Ada' })

    await later(15 * SECOND)
    const responses = await Promise.all([profile(), profile(), profile()])
    const [renewed = ''] = responses.map(({ headers }) => headers.get(RENEWED)!)
    t.match(claimsOf(renewed), { sub: 'ada', sid: claimsOf(first).sid })
    for (const { headers } of responses) {
      t.equal(headers.get(RENEWED), renewed, 'the same token')
      const expiresIn = Number(headers.get(RENEWED_EXPIRES_IN))
      t.ok(expiresIn > 15 * 60 - 5 && expiresIn <= 15 * 60)
    }
    t.equal((await profile()).headers.get(RENEWED), null, 'the client uses the new token')
    t.equal((await send('/profile', { token: first })).status, 200, 'the old token lives until it expires')

    await later(1 * MINUTE)
    t.equal((await send('/profile', { token: first })).status, 401)
    for (let round = 1; round <= 3; round += 1) {
      await later(round === 1 ? 13 * MINUTE + 20 * SECOND : 14 * MINUTE + 20 * SECOND)
      const response = await profile()
      t.equal(response.status, 200, `round ${round}`)
      t.ok(response.headers.get(RENEWED), `round ${round} brings a new token`)
    }
    t.strictSame(signedOut, [], 'an hour after the login, which was the last one')
  })

  t.test('a user who was away for 15 minutes logs in again', options, async (t) => {
    const { login, profile, later, signedOut } = await open(t)
    await login(...ADA)
    await later(15 * MINUTE)
    const response = await profile()
    t.equal(response.headers.get(RENEWED), null)
    t.match(await response.json(), { status: 401, code: 'token_expired' })
    t.strictSame(signedOut, ['token_expired'])
    await login(...ADA)
    t.equal((await profile()).status, 200)
  })

  t.test('after a logout, no response brings a new token', options, async (t) => {
    const { login, logout, profile, send, later, signedOut } = await open(t)
    const first = (await login(...ADA))['access_token'] as string
    await later(14 * MINUTE + 20 * SECOND)
    const renewed = (await send('/profile', { token: first })).headers.get(RENEWED)!
    const ended = await logout()
    t.equal(ended.status, 204)
    t.equal(ended.headers.get(RENEWED), null)
    for (const token of [first, renewed]) {
      const response = await send('/profile', { token })
      t.match(await response.json(), { status: 401, code: 'session_ended' })
      t.equal(response.headers.get(RENEWED), null)
    }
    t.equal((await profile()).status, 401)
    t.strictSame(signedOut, ['session_ended'])
  })

  t.test('a token in a cookie is renewed as a cookie', options, async (t) => {
    const { send, later } = await open(t)
    const login = await send('/auth/login', {
      method: 'POST',
      json: { username: 'ada', password: 'gate-keeper-1843', cookies: true },
    })
    t.notOk('access_token' in ((await login.json()) as object))
    const first = cookieOf(login)!
    t.equal(first.maxAge, 12 * 3600)
    await later(13 * MINUTE + 50 * SECOND)
    t.equal(cookieOf(await send('/profile', { cookie: first.value })), undefined)
    await later(15 * SECOND)
    const response = await send('/profile', { cookie: first.value })
    t.equal(response.headers.get(RENEWED), null, 'no script can read it')
    const renewed = cookieOf(response)!
    t.ok(renewed.isHttpOnly)
    t.ok(Math.abs(renewed.maxAge - (12 * 3600 - 14 * 60)) < 20, 'the cookie lives as long as the session')
    await later(14 * MINUTE + 20 * SECOND)
    const last = await send('/profile', { cookie: renewed.value })
    t.equal(last.status, 200)
    t.equal((await send('/auth/logout', { method: 'POST', cookie: cookieOf(last)!.value })).status, 204)
    for (const { value } of [renewed, cookieOf(last)!]) {
      const refused = await send('/profile', { cookie: value })
      t.equal(refused.status, 401)
      t.notOk(cookieOf(refused)?.value)
    }
  })

  t.test('12 hours after the login, a new one is needed', options, async (t) => {
    const { login, send, later } = await open(t)
    const first = (await login(...ADA))['access_token'] as string
    await later(12 * HOUR - 5 * MINUTE)
    const exchange = await send('/auth/renew', { method: 'POST', token: first })
    const { access_token: token, expires_in } = (await exchange.json()) as Record<string, string>
    t.ok(Number(expires_in) <= 5 * 60, 'no token outlives its session')
    await later(4 * MINUTE + 30 * SECOND)
    const response = await send('/profile', { token: token! })
    t.equal(response.status, 200)
    t.equal(response.headers.get(RENEWED), null, 'a new token would live no longer')
    await later(30 * SECOND)
    t.match(await (await send('/profile', { token: token! })).json(), { code: 'token_expired' })
    const late = await send('/auth/renew', { method: 'POST', token: token! })
    t.match(await late.json(), { status: 401, code: 'reauthentication_required' })
  })
}

interface Send {
  token?: string
  cookie?: string
  method?: string
  json?: object
}

/** Returns the access cookie that a response sets, or `undefined`. */
function cookieOf({ headers }: Response) {
  const line = headers.getSetCookie().find((one) => one.startsWith(`${COOKIE}=`))
  if (line === undefined) return undefined
  return {
    value: line.slice(COOKIE.length + 1).split(';')[0]!,
    maxAge: Number(/Max-Age=(\d+)/.exec(line)?.[1]),
    isHttpOnly: line.includes('HttpOnly'),
  }
}
