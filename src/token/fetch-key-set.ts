import { Agent, request } from 'undici'
import type { Milliseconds } from '../clock.js'

/** Maximum length of a JWK Set, in bytes. */
const MAX_RESPONSE = 65_536
/** Maximum time of one fetch, with its redirects. */
const TIMEOUT: Milliseconds = 5_000
const MAX_REDIRECTS = 3

/** Fetches the text of a JWK Set. Rejects if that takes more than 5 s, or `signal` is aborted meanwhile. */
export type FetchKeySet = (url: string, signal: AbortSignal) => Promise<string>

/**
 * Fetches a JWK Set. Follows redirects within the origin only: another server would decide which tokens are good.
 *
 * @throws {Error} if the response isn't a 200 of at most 64 kB. The message contains nothing of the response.
 */
export const fetchKeySet: FetchKeySet = async (url, signal) => {
  signal.throwIfAborted()
  const agent = new Agent({ maxResponseSize: MAX_RESPONSE, connect: { timeout: TIMEOUT } })
  // Not `AbortSignal.any` with a timeout: Node 20 may collect that timeout as garbage, and then it never fires.
  const abort = new AbortController()
  const stop = () => abort.abort(signal.reason)
  signal.addEventListener('abort', stop)
  const timer = setTimeout(() => abort.abort(new Error('no response within 5 s')), TIMEOUT)
  const options = {
    dispatcher: agent,
    headers: { accept: 'application/jwk-set+json, application/json', 'user-agent': 'portcullis' },
    signal: abort.signal,
    // The signal limits the time of the whole fetch, so undici's timeouts are off.
    headersTimeout: 0,
    bodyTimeout: 0,
  }
  try {
    let target = new URL(url)
    for (let redirects = 0; ; redirects += 1) {
      const { statusCode, headers, body } = await request(target, options)
      if (statusCode === 200) return await body.text()
      body.on('error', () => {}).destroy()
      const { location } = headers
      if (statusCode < 300 || statusCode > 399 || typeof location !== 'string')
        throw new Error(`status ${statusCode}`)
      const next = URL.canParse(location, target.href) ? new URL(location, target) : undefined
      if (next?.origin !== target.origin) throw new Error('a redirect to another origin')
      if (redirects === MAX_REDIRECTS) throw new Error(`more than ${MAX_REDIRECTS} redirects`)
      target = next
    }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    await agent.destroy()
  }
}
