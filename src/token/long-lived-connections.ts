/**
 * Answers that last: WebSockets, event streams, long downloads. Each is tied to the access token it was opened with,
 * and ended soon after that is denied, expires, or can't be judged any more.
 */
import type { Clock, Milliseconds } from '../clock.js'
import type { ErrorCode } from '../errors.js'
import type { DenialReason, OnOutage, RevocableToken, Denylist } from '../revocation/denylist.js'
import { toErrorCode, toRevocableToken } from './token-verifier.js'
import type { Auth } from './token-verifier.js'

/** Between two looks. With `PATIENCE` less than the 100 ms in which a stream must end. */
const POLLING_INTERVAL: Milliseconds = 20
/** How long a stream may go on while nothing can be known: a stall of this process ends with the next sync. */
const MAX_UNKNOWN_TIME: Milliseconds = 60
/** In how many looks it must have been unknown, too: the first after a stall comes before the sync that it asks for. */
const MIN_UNKNOWN_POLLS = 3

export interface LongLivedConnection {
  readonly auth: Auth
  /** What is preferred while denials can't be asked. */
  readonly onOutage: OnOutage
  /** Ends it; called at most once. */
  readonly end: (code: ErrorCode) => void
}

export interface LongLivedConnectionsDependencies {
  readonly denylist: Denylist
  readonly clock: Clock
  /** `tokens.leeway` */
  readonly leeway: Milliseconds
}

interface WatchedConnection extends LongLivedConnection {
  readonly revocable: RevocableToken
  unknown: { readonly since: Milliseconds; looks: number } | undefined
  /** No look has seen it. What was denied between its verdict and now isn't told again. */
  isFresh: boolean
  /** Its place in the list; −1: it has left. */
  index: number
}

export class LongLivedConnections {
  readonly #ports: LongLivedConnectionsDependencies
  /**
   * Each at its `index`. A Set would do; but with every request entering and leaving it, it is made anew again and
   * again, and what the old ones still point to outlives its time: as much garbage as all the rest of a request
   * makes.
   */
  readonly #streams: WatchedConnection[] = []
  #timer: NodeJS.Timeout | undefined
  #version: string | undefined
  /** A store is being asked about them. */
  #isAsking = false

  constructor(ports: LongLivedConnectionsDependencies) {
    this.#ports = ports
  }

  /** How many there are now. */
  get size(): number {
    return this.#streams.length
  }

  /** Ties a stream to its token until the function that it gives is called, or the stream was ended. */
  watch({ auth, onOutage, end }: LongLivedConnection): () => void {
    const watched = {
      auth,
      onOutage,
      end,
      revocable: toRevocableToken(auth),
      unknown: undefined,
      isFresh: true,
      index: this.#streams.length,
    }
    this.#streams.push(watched)
    this.#timer ??= setInterval(() => this.#look(), POLLING_INTERVAL).unref()
    return () => void this.#remove(watched)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#each((stream) => this.#remove(stream))
  }

  #look(): void {
    if (this.#streams.length === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    const { denylist, clock, leeway } = this.#ports
    const now = clock.now()
    this.#each((stream) => {
      if (stream.auth.expiresAt * 1000 + leeway <= now) this.#end(stream, 'token_expired')
    })
    // A store that doesn't answer leaves them in the dark.
    if (this.#isAsking) return this.#each((stream) => this.#onUnknown(stream))

    const version = denylist.version()
    const isUnchanged = version !== undefined && version === this.#version
    this.#version = version
    const answers: Promise<void>[] = []
    this.#each((stream) => {
      if (isUnchanged && !stream.isFresh) return
      stream.isFresh = false
      const found = denylist.peek(stream.revocable)
      if (found instanceof Promise) answers.push(found.then((late) => this.#judge(stream, late)))
      else this.#judge(stream, found)
    })
    if (answers.length === 0) return
    this.#isAsking = true
    void Promise.allSettled(answers).then(() => (this.#isAsking = false))
  }

  #judge(stream: WatchedConnection, found: DenialReason | 'unknown' | undefined): void {
    if (found === undefined) stream.unknown = undefined
    else if (found === 'unknown') this.#onUnknown(stream)
    else this.#end(stream, toErrorCode(found))
  }

  #onUnknown(stream: WatchedConnection): void {
    const verdict = this.#ports.denylist.checkInOutage(stream.revocable, stream.onOutage)
    if (verdict) {
      if (verdict.denial !== undefined) this.#end(stream, toErrorCode(verdict.denial))
      return
    }
    const now = performance.now()
    stream.unknown ??= { since: now, looks: 0 }
    stream.unknown.looks += 1
    const { since, looks } = stream.unknown
    if (looks >= MIN_UNKNOWN_POLLS && now - since >= MAX_UNKNOWN_TIME) this.#end(stream, 'store_unavailable')
  }

  #end(stream: WatchedConnection, code: ErrorCode): void {
    if (!this.#remove(stream)) return
    try {
      stream.end(code)
    } catch (error) {
      // The others are to be ended all the same.
      process.emitWarning(error as Error)
    }
  }

  /** From the last to the first: whatever leaves meanwhile, its place is taken by one that was seen already. */
  #each(look: (stream: WatchedConnection) => void): void {
    for (let at = this.#streams.length - 1; at >= 0; at -= 1) {
      const stream = this.#streams[at]
      if (stream) look(stream)
    }
  }

  /** Whether it was still there. */
  #remove(stream: WatchedConnection): boolean {
    const { index } = stream
    if (index === -1) return false
    stream.index = -1
    const last = this.#streams.pop()!
    if (last !== stream) {
      this.#streams[index] = last
      last.index = index
    }
    return true
  }
}
