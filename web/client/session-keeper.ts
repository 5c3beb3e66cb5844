/** Keeps one stored session. All changes run under one lock, so that only one client at a time refreshes it. */
import { browser } from './browser-globals.js'
import type { ClientOptions, Session } from './client-types.js'
import { pause, queueLock, storedLock, webLock } from './lock.js'
import { failWithout, isEnded, readCode } from './client-error.js'
import { memoryStorage } from './storage.js'
import { parseSession, readTokens } from './stored-session.js'
import type { StoredSession } from './stored-session.js'

/** Sends a POST with a JSON body to a route under the prefix. */
export type CallRoute = (
  route: string,
  body: object,
  token?: string | undefined,
  signal?: AbortSignal,
) => Promise<Response>

/** The stored text, and the response if a refresh was refused for now and the text isn't of use. */
export type Refreshed = readonly [text: string | undefined, refusal?: Response | undefined]

export interface SessionKeeper {
  /** Returns the stored text, or `undefined`. Two equal texts are the same tokens. */
  read(): Promise<string | undefined>
  lock<T>(work: () => Promise<T>): Promise<T>
  /**
   * Writes the next session, or removes it, if the stored text is still `before`. Returns true if it was. Call it under
   * the lock, which isn't safe in every storage (see `storedLock`). `code` says why the session has ended. Without it, the
   * user of this client has logged out.
   */
  replace(before: string | undefined, next?: StoredSession, code?: string): Promise<boolean>
  /**
   * Refreshes unless another client has done so since `before` was read. A refusal for a definitive reason removes the
   * session. Rejects if the network fails.
   */
  refresh(before: string | undefined): Promise<Refreshed>
  /** Returns the stored text, refreshed if less than a tenth of the life of the token is left. */
  readFresh(): Promise<Refreshed>
  session(): Session | undefined
  onChange(listener: (session: Session | undefined) => void): () => void
}

/** Two attempts take less than `tokens.reuseGrace`, so that the second one gets the successor of the first. */
const ATTEMPT_MILLISECONDS = 4_000
const WAIT_MILLISECONDS = 500
/** The time until the next refresh after one that failed, while the access token is good. */
const PAUSE_MILLISECONDS = 5_000

/** @param onOtherLogout Called if another tab has logged out, and this tab has a session of its own (`memory`). */
export function keepSession(
  key: string,
  { storage = 'memory', onSignedOut }: ClientOptions,
  call: CallRoute,
  onOtherLogout: () => void,
): SessionKeeper {
  const isMemory = storage === 'memory'
  const isCustom = typeof storage === 'object'
  // A misspelt 'cookie' must not put the tokens into localStorage.
  if (!isMemory && !isCustom && storage !== 'local' && storage !== 'cookie') failWithout('storage')
  const store = isCustom
    ? storage
    : isMemory
      ? memoryStorage()
      : (browser.localStorage ?? failWithout('localStorage'))
  const lock = isMemory
    ? queueLock()
    : ((isCustom ? storage.lock?.bind(storage) : webLock()) ?? storedLock(store))
  const listeners = new Set<(session: Session | undefined) => void>()
  let seen: string | undefined
  let session: Session | undefined
  let changes = 0
  let running: Promise<Response | undefined> | undefined
  let pausedUntil = 0

  function observe(text: string | undefined, code?: string): void {
    if (text === seen) return
    seen = text
    const stored = parseSession(text)
    const after = (session = stored && { sid: stored.session_id, expiresAt: stored.end })
    // An error of a listener must not make a request fail.
    queueMicrotask(() => {
      for (const listener of listeners) listener(after)
      if (!after && code) onSignedOut?.(code)
    })
  }

  async function read(): Promise<string | undefined> {
    const begin = changes
    const text = (await store.getItem(key)) ?? undefined
    // The value is outdated if a change came during the read.
    if (begin === changes) observe(text, 'session_ended')
    return text
  }

  const replace: SessionKeeper['replace'] = async (before, next, code) => {
    if ((await read()) !== before) return false
    const text = next && JSON.stringify(next)
    await (text ? store.setItem(key, text) : store.removeItem(key))
    changes += 1
    observe(text, code)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has no target
    if (!text && !code) channel?.postMessage(0)
    return true
  }

  async function exchange(text: string | undefined): Promise<Response | undefined> {
    if ((await read()) !== text || !(text || storage === 'cookie')) return undefined
    pausedUntil = Date.now() + PAUSE_MILLISECONDS
    const { access_token, refresh_token, session_expires_in: isSingle } = parseSession(text) ?? {}
    const attempt = async (route = isSingle ? 'renew' : 'refresh'): Promise<Response> => {
      const signal = AbortSignal.timeout(ATTEMPT_MILLISECONDS)
      const result = await call(route, { refresh_token }, isSingle ? access_token : '', signal)
      // Cookies of a login elsewhere don't tell the scheme.
      if (!text && result.status === 404 && route !== 'renew') return attempt('renew')
      if (result.ok) await replace(text, await readTokens(result))
      return result
    }
    let response = await attempt().catch(() => undefined)
    if (!response || response.status >= 500) {
      // The outcome is unknown. Repeat it soon: after the grace, a repetition would count as reuse.
      await pause(WAIT_MILLISECONDS)
      response = await attempt()
    }
    if (response.ok) return undefined
    const code = await readCode(response)
    if (code && (response.status === 401 || isEnded(code))) await replace(text, undefined, code)
    return response
  }

  async function refresh(before: string | undefined): Promise<Refreshed> {
    running ??= lock(key, () => exchange(before)).finally(() => (running = undefined))
    const refusal = await running
    const text = await read()
    return [text, text === before ? refusal?.clone() : undefined]
  }

  async function readFresh(): Promise<Refreshed> {
    const text = await read()
    const stored = parseSession(text)
    const left = stored ? stored.expires_in - (Date.now() - stored.at) / 1000 : 0
    if (!stored || left > stored.expires_in / 10) return [text]
    if (left <= 0) return refresh(text)
    if (Date.now() < pausedUntil) return [text]
    // The token is still good, so only the end of the session matters.
    return [(await refresh(text).catch(() => [text]))[0]]
  }

  // Tabs that share a localStorage hear of changes by its events.
  if (!isMemory && !isCustom) browser.addEventListener?.('storage', () => void read())
  const channel = isMemory && browser.document ? new browser.BroadcastChannel!(key) : undefined
  channel?.addEventListener('message', () => session && onOtherLogout())

  const first = store.getItem(key)
  if (typeof first === 'string') observe(first)
  else void read().catch(() => {})

  return {
    read,
    lock: (work) => lock(key, work),
    replace,
    refresh,
    readFresh,
    session: () => session,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
