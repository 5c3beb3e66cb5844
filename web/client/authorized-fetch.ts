/** `fetch` with the access token. */
import { browser } from './browser-globals.js'
import type { Client } from './client-types.js'
import { ClientError, isEnded, isRefreshable, readCode } from './client-error.js'
import type { SessionKeeper } from './session-keeper.js'
import { parseSession } from './stored-session.js'
import type { StoredSession } from './stored-session.js'

/** Rejects as soon as the signal aborts. A refresh continues, because others wait for it, too. */
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
    const access = headers.get('x-renewed-access-token')
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
    // The body of a request is read by its first use.
    const copy = request?.body ? request.clone() : target
    const isStream = Symbol.asyncIterator in Object(init?.body)

    let mayRetry: unknown

    async function attempt(to: typeof target, text: string | undefined): Promise<Response> {
      const token = parseSession(text)?.access_token
      if (token) headers.set('authorization', `Bearer ${token}`)
      // Node, which has no cookies, fails a 401 to a stream unless credentials are omitted.
      const credentials = isCookie ? 'include' : browser.location ? init?.credentials : 'omit'
      const response = await send(to, { ...init, headers, credentials: credentials! })
      if (!response.redirected || resolve(response.url).isOurs) {
        await keepRenewed(response, text)
        if (response.status === 401 && (isCookie || token)) {
          const code = await readCode(response)
          // Cookies that are missing may be those of another path only: the refresh decides.
          const isMissing = isCookie && text && code === 'credentials_missing'
          mayRetry = isEnded(code)
            ? !(await keeper.lock(() => keeper.replace(text, undefined, code)))
            : isMissing || isRefreshable(code)
        }
      }
      return response
    }

    async function attemptTwice(): Promise<Response> {
      const [text, early] = await keeper.readFresh()
      const response = early ?? (await attempt(target, text))
      if (!mayRetry) return response
      const [newest, refusal] = await keeper.refresh(text)
      if (!newest) return response
      if (refusal) return refusal
      if (isStream) throw new ClientError('body_not_replayable', 'A stream cannot be sent twice')
      return attempt(copy, newest)
    }

    return untilAborted(attemptTwice(), init?.signal ?? request?.signal)
  }
}
