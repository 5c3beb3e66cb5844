/** Beginnings and ends of sessions, for the event streams of their subjects. */
import type { UnixSeconds } from './clock.js'
import type { EventListeners, SecurityEventOf } from './event-listeners.js'
import type { EndReason } from './session/session.js'

/** The client that has ended a session. */
export interface Actor {
  /** The session of the client. `undefined` if it has ended its own. */
  readonly sid: string | undefined
  readonly userAgent: string | undefined
  readonly at: UnixSeconds
}

/** A session of the subject has begun or ended. */
export type SessionChange =
  | { readonly kind: 'started'; readonly sid: string }
  | {
      readonly kind: 'ended'
      readonly sid: string
      readonly reason: EndReason
      /** `undefined` if no client has ended the session, or it is unknown. */
      readonly by: Actor | undefined
    }

type Listener = (change: SessionChange) => void

/**
 * Delivers the changes that this instance has made to the listeners of their subjects. Changes by other instances
 * aren't delivered.
 */
export class SessionChanges {
  readonly #listeners = new Map<string, Set<Listener>>()
  /** Clients by the id of the request with which they are ending sessions. */
  readonly #actors = new Map<string, Actor>()

  constructor(events: EventListeners) {
    events.on('login', ({ sub, sid }) => this.#deliver(sub, { kind: 'started', sid }))
    const onEnd = ({ sub, sid, reason, request_id }: SecurityEventOf<'logout' | 'session_ended'>) => {
      if (sub === undefined) return
      const by = request_id === undefined ? undefined : this.#actors.get(request_id)
      this.#deliver(sub, { kind: 'ended', sid, reason, by })
    }
    events.on('logout', onEnd)
    events.on('session_ended', onEnd)
    events.on('refresh_token_reused', ({ sub, sid }) =>
      this.#deliver(sub, { kind: 'ended', sid, reason: 'reuse', by: undefined }),
    )
  }

  /** Calls the listener for each change of the subject's sessions, until the returned function is called. */
  listen(sub: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(sub) ?? new Set()
    this.#listeners.set(sub, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(sub) === listeners) this.#listeners.delete(sub)
    }
  }

  /** Runs the work of a request that ends sessions. Their changes then name the client. */
  async attribute<T>(requestId: string, actor: Actor, work: () => Promise<T>): Promise<T> {
    this.#actors.set(requestId, actor)
    try {
      return await work()
    } finally {
      // Events are delivered in a later turn of the event loop than the one in which the work ends.
      setImmediate(() => this.#actors.delete(requestId))
    }
  }

  #deliver(sub: string, change: SessionChange): void {
    for (const listener of this.#listeners.get(sub) ?? []) listener(change)
  }
}
