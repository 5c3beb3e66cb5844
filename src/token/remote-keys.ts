/** The public keys of an issuer, from the URL of its JWK Set (RFC 7517 §5). */
import type { Clock, Milliseconds, UnixMs } from '../clock.js'
import { PortcullisError } from '../errors.js'
import type { Log } from '../logger.js'
import type { KeySet, KeyVerifier } from './access-token.js'
import type { Algorithm } from './algorithms.js'
import { fetchKeySet } from './fetch-key-set.js'
import type { FetchKeySet } from './fetch-key-set.js'
import { importKeySet, isSameKey } from './verifying-keys.js'
import type { VerifyingKey } from './verifying-keys.js'

/** Time between two fetches. */
const POLLING_INTERVAL: Milliseconds = 300_000
/** Time between two fetches while no key is known. It is short, because servers are often started with their issuer. */
const RETRY_INTERVAL: Milliseconds = 1_000
/** Minimum time between two fetches because of unknown key ids. */
const UNKNOWN_INTERVAL: Milliseconds = 60_000
/** Maximum number of requests that wait for one fetch. */
const MAX_WAITING = 1_000

export interface RemoteKeysOptions {
  readonly url: string
  /** The setting `keys.algorithm`. */
  readonly algorithm: Algorithm | undefined
  readonly createVerifier: (key: VerifyingKey) => Promise<KeyVerifier>
  readonly log: Log
  /** A clock that never jumps. */
  readonly clock: Clock
  /** Default: a request to the URL. */
  readonly fetch?: FetchKeySet
}

/**
 * The keys are fetched at the start, every 5 min, and at most once a minute because of an unknown key id. Known keys
 * stay good while the issuer is unavailable. A key that a later response lacks is removed.
 */
export class RemoteKeys implements KeySet {
  readonly #options: RemoteKeysOptions
  readonly #closing = new AbortController()
  #known: ReadonlyMap<string, { readonly key: VerifyingKey; readonly verifier: KeyVerifier }> = new Map()
  #fetching: Promise<void> | undefined
  #waiting = 0
  /** When a fetch may begin because of an unknown key id. */
  #unknownAt: UnixMs = -Infinity
  #timer: NodeJS.Timeout | undefined
  #isFailing = false
  #leftOut: readonly string[] = []

  constructor(options: RemoteKeysOptions) {
    this.#options = options
  }

  /** Returns true if the keys were fetched at least once. */
  get isAvailable(): boolean {
    return this.#known.size > 0
  }

  /**
   * @throws {PortcullisError} `store_unavailable` while no key is known, because nobody knows whether a token is good
   */
  get(kid: string): KeyVerifier | undefined {
    if (this.#known.size === 0) {
      throw new PortcullisError('store_unavailable', {
        detail:
          'The keys of the issuer are not available yet. Repeat the request after the delay in Retry-After.',
        reason: 'keys.jwks: no keys yet',
      })
    }
    return this.#known.get(kid)?.verifier
  }

  load(kid: string): Promise<void> | undefined {
    if (!this.isAvailable || this.#known.has(kid) || this.#waiting >= MAX_WAITING) return undefined
    if (this.#fetching === undefined) {
      const now = this.#options.clock.now()
      if (now < this.#unknownAt) return undefined
      this.#unknownAt = now + UNKNOWN_INTERVAL
    }
    this.#waiting += 1
    return this.refresh().finally(() => (this.#waiting -= 1))
  }

  /** Fetches the keys. Resolves when that has succeeded or failed. A call during a fetch waits for that fetch. */
  refresh(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined
      this.#schedule()
    })
    return this.#fetching
  }

  close(): void {
    this.#closing.abort()
    clearTimeout(this.#timer)
  }

  async #fetch(): Promise<void> {
    clearTimeout(this.#timer)
    const { url, algorithm, fetch = fetchKeySet, log } = this.#options
    try {
      const text = await fetch(url, this.#closing.signal)
      const { keys, leftOut } = await importKeySet(text, algorithm)
      await this.#replace(keys)
      if (leftOut.join() !== this.#leftOut.join())
        for (const sentence of leftOut) log.warn({ event: 'key_warning' }, `keys.jwks: ${sentence}`)
      this.#leftOut = leftOut
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing && !this.#closing.signal.aborted) {
        const { message, code } = error as NodeJS.ErrnoException
        const reason = message || code
        log.warn({ event: 'jwks_failed', reason }, 'keys.jwks gave no usable keys; known keys stay good')
      }
      this.#isFailing = true
    }
  }

  /** Replaces the keys. An unchanged key keeps its verifier, so that its tokens stay in the cache of verified tokens. */
  async #replace(keys: readonly VerifyingKey[]): Promise<void> {
    const next = new Map<string, { key: VerifyingKey; verifier: KeyVerifier }>()
    for (const key of keys) {
      const old = this.#known.get(key.kid)
      const isKept = old !== undefined && isSameKey(old.key, key)
      next.set(key.kid, isKept ? old : { key, verifier: await this.#options.createVerifier(key) })
    }
    const kids = [...next.keys()]
    const isChanged =
      kids.length !== this.#known.size || kids.some((kid) => next.get(kid) !== this.#known.get(kid))
    this.#known = next
    if (isChanged || this.#isFailing)
      this.#options.log.info({ event: 'jwks_fetched', kids }, 'the keys of the issuer were fetched')
  }

  #schedule(): void {
    if (this.#closing.signal.aborted) return
    const delay = this.isAvailable ? POLLING_INTERVAL : RETRY_INTERVAL
    this.#timer = setTimeout(() => void this.refresh(), delay).unref()
  }
}
