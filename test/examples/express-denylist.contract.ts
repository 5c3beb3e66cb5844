/** The example `express-denylist`: nine routes, an axios client, and a logout that ends both tokens. */
import { join } from 'node:path'
import axios, { isAxiosError } from 'axios'
import type { AxiosInstance } from 'axios'
import type { Test } from 'tap'
import { claimsOf, home } from '../support/gateway-process.js'
import { DAY, MINUTE, SECOND, moveTime, untilReady } from '../support/moved-time.js'
import { startExample } from '../support/scheme-examples.js'

interface Tokens {
  readonly token: string
  readonly refreshToken: string
  readonly expiresIn: number
}

interface Exports {
  createApi(
    baseURL: string,
    storage?: Map<string, string>,
  ): {
    api: AxiosInstance
    signIn(username: string, password: string): Promise<Tokens>
    logOut(): Promise<void>
  }
}

const ADA = ['ada', 'gate-keeper-1843'] as const
const TITLE = { title: 'How to paint a drawbridge' }

/** The routes that need a token, with their status. */
const GUARDED = [
  ['GET', '/post/all', 200],
  ['POST', '/post', 201],
  ['PUT', '/post/1', 200],
  ['DELETE', '/post/2', 200],
  ['GET', '/user/logout', 200],
] as const

export interface StoreOptions {
  /** Gives the `store` of a server. */
  readonly startStore: (t: Test) => Promise<string>
  /** The reason to skip the tests that move the time. */
  readonly skip?: string | false
}

export function expressDenylistContract(t: Test, { startStore, skip = false }: StoreOptions): void {
  t.test('some of the nine routes are open, and the others need a token', async (t) => {
    const { send, signIn } = await start(t, await startStore(t))
    t.match(await send('GET', '/post'), { status: 200, data: [{ id: 1 }] })
    t.match(await send('GET', '/post/1'), { status: 200, data: { title: 'Opening day' } })
    t.match(await send('GET', '/post/99'), { status: 404, data: { message: 'No such post' } })
    for (const [method, path] of GUARDED)
      t.match(await send(method, path, { data: TITLE }), {
        status: 401,
        data: { code: 'credentials_missing' },
      })

    const { token, refreshToken } = await signIn(...ADA)
    const headers = { authorization: `Bearer ${token}` }
    for (const [method, path, status] of GUARDED)
      t.equal((await send(method, path, { data: TITLE, headers })).status, status, `${method} ${path}`)
    t.match(await send('POST', '/user/refresh', { data: { refreshToken } }), {
      status: 401,
      data: { code: 'session_ended' },
    })
  })

  t.test('the tokens live for 60 minutes and 7 days', async (t) => {
    const { signIn, app } = await start(t, await startStore(t))
    const { token, expiresIn } = await signIn(...ADA)
    t.equal(expiresIn, 3600)
    const { sub, exp, iat } = claimsOf(token)
    t.strictSame([sub, exp - iat], ['1', 3600])
    const [session] = await app.portcullis.sessions.list(1)
    t.equal(session!.expiresAt - session!.createdAt, 7 * 86_400)
  })

  t.test('a wrong password and an unknown name are the same 401, and guesses are limited', async (t) => {
    const { send } = await start(t, await startStore(t))
    const signIn = (username: string, password: string) =>
      send('POST', '/user/signin', { data: { username, password } })
    const wrong = { status: 401, data: { code: 'invalid_credentials' } }
    t.match(await signIn('nobody', 'x'), wrong)
    for (let i = 0; i < 10; i += 1) t.match(await signIn('ada', 'x'), wrong)
    t.match(await signIn(...ADA), { status: 429, data: { code: 'rate_limited' } })
    t.equal((await signIn('bob', 'drawbridge-1066')).status, 200)
    t.equal((await send('POST', '/user/signin', { data: { username: 'bob' } })).status, 400)
  })

  t.test('the token is accepted in two headers, the query and the body', async (t) => {
    const { send, signIn } = await start(t, await startStore(t))
    const { token } = await signIn(...ADA)
    const inBody = { data: { ...TITLE, access_token: token } }
    const places = [
      ['POST', '/post', { data: TITLE, headers: { authorization: `Bearer ${token}` } }],
      ['POST', '/post', { data: TITLE, headers: { 'x-access-token': token } }],
      ['POST', `/post?access_token=${token}`, { data: TITLE }],
      ['POST', '/post', inBody],
    ] as const
    for (const [method, path, options] of places)
      t.match(await send(method, path, options), { status: 201, data: { author: 'ada' } })
    const twice = await send('POST', `/post?access_token=${token}`, inBody)
    t.match(twice, { status: 400, data: { code: 'credentials_ambiguous' } })

    t.equal((await send('GET', `/user/logout?access_token=${token}`)).status, 200)
    for (const [method, path, options] of places)
      t.match(await send(method, path, options), { status: 401, data: { code: 'session_ended' } })
  })

  t.test('after 60 minutes, five requests of the axios client refresh and succeed', { skip }, async (t) => {
    const { app, createApi } = await start(t, await startStore(t))
    const storage = new Map<string, string>()
    const { api, signIn } = createApi(storage)
    const { token } = await signIn(...ADA)
    await moveTime(t, 60 * MINUTE - 10 * SECOND)
    await untilReady(app)
    t.equal((await api.get('/post/all')).status, 200)
    t.equal(storage.get('token'), token, 'it isn’t refreshed early')

    await moveTime(t, 10 * SECOND)
    await untilReady(app)
    const responses = await Promise.all(Array.from({ length: 5 }, () => api.get('/post/all')))
    t.strictSame(new Set(responses.map(({ status }) => status)), new Set([200]))
    t.not(storage.get('token'), token)
    t.equal((await app.portcullis.sessions.list(1)).length, 1, 'none of them ended the session')
  })

  t.test(
    'each refresh extends the session by 7 days, and after 7 idle days it is over',
    { skip },
    async (t) => {
      const { app, createApi } = await start(t, await startStore(t))
      const storage = new Map<string, string>()
      const { api, signIn } = createApi(storage)
      await signIn(...ADA)
      for (let day = 6; day <= 18; day += 6) {
        await moveTime(t, 6 * DAY)
        await untilReady(app)
        t.equal((await api.get('/post/all')).status, 200, `on day ${day}`)
      }
      await moveTime(t, 7 * DAY)
      await untilReady(app)
      t.match(await failureOf(api.get('/post/all')), { status: 401, data: { code: 'refresh_token_expired' } })
      t.equal(storage.size, 0, 'the client has forgotten its tokens')
      t.equal((await api.get('/post')).status, 200)
    },
  )

  t.test('the axios client doesn’t refresh after a wrong password, nor after a logout', async (t) => {
    const { createApi } = await start(t, await startStore(t))
    const storage = new Map<string, string>()
    const { api, signIn, logOut } = createApi(storage)
    await signIn(...ADA)
    const { refreshToken } = Object.fromEntries(storage)
    t.match(await failureOf(signIn('ada', 'x')), { status: 401, data: { code: 'invalid_credentials' } })
    t.equal(storage.get('refreshToken'), refreshToken)
    await logOut()
    t.match(await failureOf(api.get('/post/all')), { status: 401, data: { code: 'credentials_missing' } })
  })
}

/**
 * Starts the blog. `send` never rejects because of a status.
 *
 * @param directory Servers with the same one accept each other's tokens.
 */
export async function start(t: Test, store: string, directory?: string) {
  const keys = { dir: join(directory ?? (await home(t)), 'keys') }
  const { apps, urls, client } = await startExample<Exports>(t, 'express-denylist', { store, keys })
  const [app, url] = [apps[0]!, urls[0]!]
  await untilReady(app)
  const send = (method: string, path: string, options: object = {}) =>
    axios.request({ method, url: `${url}${path}`, validateStatus: null, ...options })
  const createApi = (storage?: Map<string, string>) => client.createApi(url, storage)
  return { app, send, createApi, signIn: createApi().signIn }
}

/** Returns the response with which a request of axios was rejected. */
async function failureOf(request: Promise<unknown>) {
  try {
    await request
  } catch (error) {
    if (isAxiosError(error)) return error.response
    throw error
  }
  throw new Error('the request succeeded')
}
