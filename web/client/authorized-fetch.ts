/** `fetch` with the access token. */
import { browser } from './browser-globals.js'
import type { Client } from './client-types.js'
import { ClientError, isEnded, isRefreshable, readCode } from './refusal.js'
import type { SessionKeeper } from './session-keeper.js'
import { parseSession } from './stored-session.js'
import type { StoredSession } from './stored-session.js'

/** Rejects as soon as the signal aborts. The work itself continues, because others wait for it, too. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error)
    signal.addEventListener('abort', abort)
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
    if (signal.aborted) abort()
  })
}

export function createFetch(
  send: typeof fetch,
  resolve: Client['resolve'],
  keeper: SessionKeeper,
  isCookie: boolean,
): typeof fetch {
  /** Stores a token that came with a response (`tokens.renewUnder`). */
  async function keepRenewed({ headers }: Response, text: string | undefined): Promise<void> {
    const seconds = Number(headers.get('x-renewed-expires-in'))
    const access = headers.get('x-renewed-access-token') ?? undefined
    const stored = parseSession(text)
    if (!stored || !seconds || !(isCookie || access)) return
    const next = { ...stored, access_token: access, expires_in: seconds, at: Date.now() }
    await keeper.lock(() => keeper.replace(text, next as StoredSession))
  }

  return async (input, init) => {
    const request = input instanceof Request ? input : undefined
    const { url, isOurs } = resolve(request?.url ?? (input as string | URL))
    const target = request ?? url.href
    const headers = new Headers(init?.headers ?? request?.headers)
    if (!isOurs || headers.has('authorization')) return send(target, init)

    const signal = init?.signal ?? request?.signal
    const isStream = Symbol.asyncIterator in Object(init?.body)
    // The body of a request is read by its first use.
    const copy = request?.body ? request.clone() : undefined

    /** Returns the response, and true if another attempt may succeed. */
    async function attempt(to: typeof target, text: string | undefined): Promise<[Response, boolean]> {
      const token = parseSession(text)?.access_token
      if (token) headers.set('authorization', `Bearer ${token}`)
      const options: RequestInit = { ...init, headers }
      if (isCookie) options.credentials = 'include'
      // Node, which has no cookies, fails a 401 to a stream unless credentials are omitted.
      else if (!browser.location) options.credentials = 'omit'
      const response = await send(to, options)
      if (response.redirected && !resolve(response.url).isOurs) return [response, false]
      await keepRenewed(response, text)
      if (response.status !== 401 || !(isCookie || token)) return [response, false]
      const code = await readCode(response)
      if (isEnded(code) || (isCookie && code === 'credentials_missing'))
        return [response, !(await keeper.lock(() => keeper.replace(text, undefined, code)))]
      return [response, isRefreshable(code)]
    }

    const [text, early] = await untilAborted(keeper.readFresh(), signal)
    if (early) return early
    try {
      const [response, mayRetry] = await attempt(target, text)
      if (!mayRetry) return response
      const [newest, refusal] = await untilAborted(keeper.refresh(text), signal)
      if (refusal) return refusal
      if (!newest) return response
      if (isStream)
        throw new ClientError(
          'body_not_replayable',
          'A stream cannot be sent twice. The token is new now: repeat the request.',
        )
      void response.body?.cancel().catch(() => {})
      return (await attempt(copy ?? target, newest))[0]
    } finally {
      void copy?.body?.cancel().catch(() => {})
    }
  }
}
