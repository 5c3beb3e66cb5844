/**
 * Long-lived connections: WebSockets, event streams, long transfers. Each is bound to the access token that opened it.
 * It is ended within 100 ms after the token is revoked or has expired, or after the denylist became unavailable and
 * `onOutage` doesn't admit the token.
 */
import type { Clock, Milliseconds } from '../clock.js'
import type { ErrorCode } from '../errors.js'
import type { RevocationReason, OnOutage, RevocableToken, Denylist } from '../revocation/denylist.js'
import { toRevocableToken } from './auth.js'
import { toErrorCode } from './revoked-error.js'
import type { Auth } from './auth.js'

/** The time between two polls of the denylist. With `MAX_UNKNOWN_TIME` it stays below the 100 ms above. */
const POLLING_INTERVAL: Milliseconds = 20
/**
 * How long a connection may stay open while the state of its token is unknown. The state is unknown for a moment after
 * each stall of this process, until the next sync.
 */
const MAX_UNKNOWN_TIME: Milliseconds = 60
/**
 * Minimum number of polls with an unknown state before a connection is ended. Time alone isn't enough, because the
 * first poll after a stall comes before the sync that it requests.
 */
const MIN_UNKNOWN_POLLS = 3

/** A connection to end when its token is no longer good. */
export interface LongLivedConnection {
  readonly auth: Auth
  /** How to decide while the denylist is unavailable. */
  readonly onOutage: OnOutage
  /** Ends the connection. Called at most once, with the error that a new request would get. */
  readonly end: (code: ErrorCode) => void
}

export interface LongLivedConnectionsDependencies {
  readonly denylist: Denylist
  readonly clock: Clock
  /** The setting `tokens.leeway`. */
  readonly leeway: Milliseconds
}

interface WatchedConnection extends LongLivedConnection {
  readonly revocable: RevocableToken
  unknown: { readonly since: Milliseconds; polls: number } | undefined
  /**
   * True until the first poll. A new connection is checked even if the denylist's version is unchanged, because its
   * token may have been revoked between its verification and this poll.
   */
  isFresh: boolean
  /** The position in the list, or −1 if the connection was removed. */
  index: number
}

export class LongLivedConnections {
  readonly #dependencies: LongLivedConnectionsDependencies
  /**
   * Every connection, at its `index`. This is not a Set, because every request adds an entry and removes it again. A
   * Set rehashes again and again under that load, and its old tables keep dead entries from being collected early. That
   * produced as much garbage as the rest of a request.
   */
  readonly #connections: WatchedConnection[] = []
  #timer: NodeJS.Timeout | undefined
  #version: string | undefined
  /** True while responses of the store are pending. */
  #isPending = false

  constructor(dependencies: LongLivedConnectionsDependencies) {
    this.#dependencies = dependencies
  }

  /** The number of open connections. */
  get size(): number {
    return this.#connections.length
  }

  /**
   * Binds a connection to its token until the connection is ended.
   *
   * @returns Releases the connection. Call it when the connection has closed for another reason.
   * @throws {TypeError} if `auth` is a copy
   */
  watch({ auth, onOutage, end }: LongLivedConnection): () => void {
    const watched = {
      auth,
      onOutage,
      end,
      revocable: toRevocableToken(auth),
      unknown: undefined,
      isFresh: true,
      index: this.#connections.length,
    }
    this.#connections.push(watched)
    this.#timer ??= setInterval(() => this.#poll(), POLLING_INTERVAL).unref()
    return () => void this.#remove(watched)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#each((connection) => this.#remove(connection))
  }

  #poll(): void {
    if (this.#connections.length === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    const { denylist, clock, leeway } = this.#dependencies
    const now = clock.now()
    this.#each((connection) => {
      if (connection.auth.expiresAt * 1000 + leeway <= now) this.#end(connection, 'token_expired')
    })
    // The store hasn't responded since the last poll, so the state of every token is unknown.
    if (this.#isPending) return this.#each((connection) => this.#onUnknown(connection))

    const version = denylist.version()
    const isUnchanged = version !== undefined && version === this.#version
    this.#version = version
    const pending: Promise<void>[] = []
    this.#each((connection) => {
      if (isUnchanged && !connection.isFresh) return
      connection.isFresh = false
      const found = denylist.peek(connection.revocable)
      if (found instanceof Promise) pending.push(found.then((late) => this.#applyResult(connection, late)))
      else this.#applyResult(connection, found)
    })
    if (pending.length === 0) return
    this.#isPending = true
    void Promise.allSettled(pending).then(() => (this.#isPending = false))
  }

  #applyResult(connection: WatchedConnection, found: RevocationReason | 'unknown' | undefined): void {
    if (found === undefined) connection.unknown = undefined
    else if (found === 'unknown') this.#onUnknown(connection)
    else this.#end(connection, toErrorCode(found))
  }

  #onUnknown(connection: WatchedConnection): void {
    const decision = this.#dependencies.denylist.checkInOutage(connection.revocable, connection.onOutage)
    if (decision) {
      if (decision.reason !== undefined) this.#end(connection, toErrorCode(decision.reason))
      return
    }
    const now = performance.now()
    connection.unknown ??= { since: now, polls: 0 }
    connection.unknown.polls += 1
    const { since, polls } = connection.unknown
    if (polls >= MIN_UNKNOWN_POLLS && now - since >= MAX_UNKNOWN_TIME)
      this.#end(connection, 'store_unavailable')
  }

  #end(connection: WatchedConnection, code: ErrorCode): void {
    if (!this.#remove(connection)) return
    try {
      connection.end(code)
    } catch (error) {
      // The remaining connections must still be ended.
      process.emitWarning(error as Error)
    }
  }

  /**
   * Visits all connections from the last to the first. A visit may remove connections: the free position is then taken
   * by a connection that was already visited.
   */
  #each(visit: (connection: WatchedConnection) => void): void {
    for (let at = this.#connections.length - 1; at >= 0; at -= 1) {
      const connection = this.#connections[at]
      if (connection) visit(connection)
    }
  }

  /** Returns false if the connection had been removed before. */
  #remove(connection: WatchedConnection): boolean {
    const { index } = connection
    if (index === -1) return false
    connection.index = -1
    const last = this.#connections.pop()!
    if (last !== connection) {
      this.#connections[index] = last
      last.index = index
    }
    return true
  }
}
