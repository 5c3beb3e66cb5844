/** Puts the parts of the client together. */
import { createFetch } from './authorized-fetch.js'
import { browser } from './browser-globals.js'
import type { Client, ClientOptions, ListedSession, LogoutOptions } from './client-types.js'
import { failWithout, requireSuccess } from './client-error.js'
import { keepSession } from './session-keeper.js'
import type { CallRoute, Refreshed } from './session-keeper.js'
import { parseSession, readTokens } from './stored-session.js'

/**
 * Creates a client of one server.
 *
 * @example
 * const client = createClient({ storage: 'cookie', onSignedOut: () => location.assign('/login') })
 * await client.login({ username, password })
 * const response = await client.fetch('/api/orders')
 *
 * @throws {TypeError} without a page and `baseUrl`, or without the storage that is chosen
 */
export function createClient(options: ClientOptions = {}): Client {
  const { baseUrl, prefix = '/auth' } = options
  const isCookie = options.storage === 'cookie'
  const page = browser.location?.href
  const home = new URL(baseUrl ?? page ?? failWithout('baseUrl'), page)
  const urlOf = (route: string) => new URL(`${prefix}/${route}`, home).href
  const send: typeof fetch = (input, init) => (options.fetch ?? fetch)(input, init)

  const resolve: Client['resolve'] = (target) => {
    const url = new URL(target, baseUrl ? home : (browser.document?.baseURI ?? page))
    return { url, isOurs: url.origin === home.origin }
  }

  const call: CallRoute = (route, body, token, signal) =>
    send(urlOf(route), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
      // The server refuses a request with a token and a cookie (`credentials_ambiguous`).
      credentials: isCookie ? 'include' : 'omit',
      signal: signal!,
    })

  const keeper = keepSession(`portcullis ${home.origin}${prefix}`, options, call, () => {
    void logout({}, 'session_ended').catch(() => {})
  })
  const { session, onChange, readFresh } = keeper
  const authorizedFetch = createFetch(send, resolve, keeper, isCookie)

  /** @param code The reason, if another tab has logged out. */
  async function logout({ all, keepCurrent }: LogoutOptions = {}, code?: string): Promise<void> {
    // A logout with an expired token ends its own session, but no others.
    const [text, refusal]: Refreshed = all ? await readFresh() : [await keeper.read()]
    if (refusal) await requireSuccess(refusal)
    const stored = parseSession(text)
    if (!stored && !isCookie && !all) return
    const response = await call(
      'logout',
      { refresh_token: stored?.refresh_token, all, keepCurrent },
      stored?.access_token,
    )
    // A 401: there is no such session any more.
    if (all || response.status !== 401) await requireSuccess(response)
    if (keepCurrent) return
    await keeper.lock(async () => {
      const newest = await keeper.read()
      if (parseSession(newest)?.session_id === stored?.session_id)
        await keeper.replace(newest, undefined, code)
    })
  }

  return {
    async login(credentials) {
      const response = await call('login', { ...credentials, cookies: isCookie })
      const stored = await readTokens(await requireSuccess(response))
      await keeper.lock(async () => keeper.replace(await keeper.read(), stored))
      return session()!
    },
    logout: (choice) => logout(choice),
    fetch: authorizedFetch,
    async token() {
      const [text, refusal] = await readFresh()
      if (refusal) await requireSuccess(refusal)
      return parseSession(text)?.access_token
    },
    session,
    async sessions() {
      const found: ListedSession[] = []
      let query = ''
      do {
        const response = await requireSuccess(await authorizedFetch(urlOf(`sessions${query}`)))
        const { sessions, next_cursor: next } = (await response.json()) as {
          sessions: ListedSession[]
          next_cursor?: string
        }
        found.push(...sessions)
        query = next ? `?cursor=${encodeURIComponent(next)}` : ''
      } while (query)
      return found
    },
    onChange,
    axios(instance) {
      const { defaults } = instance
      Object.assign(defaults, {
        adapter: 'fetch',
        env: { ...(defaults.env as object), fetch: authorizedFetch },
      })
      if (isCookie) defaults.withCredentials = true
      return instance
    },
    resolve,
  }
}
