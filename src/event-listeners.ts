import { EventEmitter } from 'node:events'
import type { Log } from './logger.js'
import { createSampler } from './sample.js'
import type { SecurityEvent } from './session/security-events.js'

export type SecurityEventName = SecurityEvent['event']

/** The event with this name. A listener for `*` receives every event. */
export type SecurityEventOf<Name extends SecurityEventName | '*'> = ListenedEvent<SecurityEvent, Name>

type ListenedEvent<Event extends SecurityEvent, Name> = Event extends SecurityEvent
  ? Name extends '*'
    ? WithRequest<Event>
    : Name extends Event['event']
      ? WithRequest<Event & { readonly event: Name }>
      : never
  : never

/** `request_id` is the id of the request that caused the event, as in its log line. */
type WithRequest<Event> = Readonly<Event> & { readonly request_id?: string | undefined }

/** A listener. It may be asynchronous. An error or a rejection is logged and has no other effect. */
export type SecurityEventListener<Name extends SecurityEventName | '*'> = (
  event: SecurityEventOf<Name>,
) => unknown

/**
 * The security events of this instance, for listeners of the host. Each event has the fields of its log line. It
 * contains no token and no password.
 *
 * A listener is called after the event was logged, in a later turn of the event loop. So it can neither break nor delay
 * the request that caused the event, unless it blocks the event loop. Events of other instances aren't delivered.
 */
export interface SecurityEventSource {
  /**
   * Calls the listener for each event with this name, or for every event if the name is `*`.
   *
   * @example
   * ```ts
   * app.portcullis.events.on('refresh_token_reused', ({ sub, sid }) => alertUser(sub, sid))
   * ```
   *
   * @throws {TypeError} if there is no such event, or `listener` isn't a function
   */
  on<Name extends SecurityEventName | '*'>(name: Name, listener: SecurityEventListener<Name>): this
  /** Like `on`, but only for the next such event. */
  once<Name extends SecurityEventName | '*'>(name: Name, listener: SecurityEventListener<Name>): this
  /** Removes a listener that was added with `on` or `once` for this name. */
  off<Name extends SecurityEventName | '*'>(name: Name, listener: SecurityEventListener<Name>): this
}

/** A registry, so that a misspelt name is an error and a new event can't be forgotten. */
const NAMES: Readonly<Record<SecurityEventName | '*', true>> = {
  '*': true,
  login: true,
  login_failed: true,
  login_limited: true,
  refresh: true,
  refresh_retried: true,
  token_renewed: true,
  refresh_token_reused: true,
  code_reused: true,
  logout: true,
  session_ended: true,
  revoked: true,
}

type AnyListener = (event: SecurityEvent) => unknown

/** Delivers the security events of one core to the listeners of the host. */
export class EventListeners implements SecurityEventSource {
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  readonly #log: Pick<Log, 'error'>
  readonly #sample = createSampler()

  constructor(log: Pick<Log, 'error'>) {
    this.#log = log
  }

  on<Name extends SecurityEventName | '*'>(name: Name, listener: SecurityEventListener<Name>): this {
    checkName(name)
    this.#emitter.on(name, listener)
    return this
  }

  once<Name extends SecurityEventName | '*'>(name: Name, listener: SecurityEventListener<Name>): this {
    checkName(name)
    this.#emitter.once(name, listener)
    return this
  }

  off<Name extends SecurityEventName | '*'>(name: Name, listener: SecurityEventListener<Name>): this {
    checkName(name)
    this.#emitter.off(name, listener)
    return this
  }

  /** Calls the listeners of the event in a later turn of the event loop. */
  deliver(event: SecurityEvent, requestId: string | undefined): void {
    const listeners = [event.event, '*'].flatMap((name) => this.#emitter.rawListeners(name)) as AnyListener[]
    if (listeners.length === 0) return
    // All listeners get the same object, so none may change it.
    const delivered = Object.freeze({ ...event, request_id: requestId })
    for (const listener of listeners) setImmediate(() => void this.#call(listener, delivered))
  }

  async #call(listener: AnyListener, event: SecurityEvent): Promise<void> {
    try {
      await listener(event)
    } catch (error) {
      this.#sample(() =>
        this.#log.error(
          { event: 'listener_failed', listens_to: event.event, err: error },
          'a listener for a security event failed (logged at most once per second)',
        ),
      )
    }
  }
}

function checkName(name: string): void {
  if (!Object.hasOwn(NAMES, name))
    throw new TypeError(`events: there is no security event ${JSON.stringify(name)}`)
}
