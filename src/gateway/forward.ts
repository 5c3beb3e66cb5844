import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Milliseconds } from '../clock.js'
import type { ErrorCode, PortcullisError } from '../errors.js'
import { Exchange } from './exchange.js'
import type { HeaderRules, RequestFraming } from './header-rules.js'
import { discard } from './request-body.js'
import type { BodyLimits } from './request-body.js'
import type { Upstream } from './upstreams.js'

export interface ForwardOptions {
  readonly upstream: Upstream
  /** The request target, checked by `checkTarget`. It is sent byte for byte. */
  readonly target: string
  /** The `Host` that the upstream receives. If `undefined`, the upstream's own host. */
  readonly host: string | undefined
  /** Names and values in turn. Both `headers` and `framing` come from `HeaderRules.request`. */
  readonly headers: readonly string[]
  readonly framing: RequestFraming
  /** The client's address. One address can't occupy all connections to an upstream. */
  readonly client?: string | undefined
  readonly rules: HeaderRules
  readonly limits: BodyLimits & {
    /** Longest time in which the client reads nothing of a response that is ready for it. */
    readonly idle: Milliseconds
  }
  /** 0 disables a timeout. `headers` and `body` are checked every 250 ms. */
  readonly timeouts: {
    /** Longest wait for a connection, and then from the end of the request to the end of the response head. */
    readonly headers: Milliseconds
    /** Longest wait between two pieces of the response. */
    readonly body: Milliseconds
    /** From the call of `forward` to the last byte of the response, or to the 101. */
    readonly total: Milliseconds
  }
  /**
   * Called with the status of the response before any of the response is passed on. The response waits for the returned
   * promise. A thrown `PortcullisError` becomes the error of the outcome. Once the upstream has the whole request, a
   * disconnect of the client or a `cut` ends the exchange only after `onHead` has settled. A timeout or an error of the
   * upstream ends it earlier, but not while `onHead` runs.
   */
  readonly onHead?: ((status: number) => void | Promise<void>) | undefined
  /**
   * Called with the upstream's response headers, names and values in turn, right before the final response head is passed
   * on. It may set headers on `response`.
   */
  readonly onBegin?: ((headers: readonly string[]) => void) | undefined
  /** Called once, at the end. That may be before `forward` returns. */
  readonly onOutcome: (outcome: ForwardOutcome) => void
  /** Requests a protocol upgrade. The upstream may still send an ordinary response. */
  readonly upgrade?: Upgrade | undefined
}

/** The client's side of a protocol upgrade. */
export interface Upgrade {
  /** The value of the `Upgrade` header. */
  readonly protocol: string
  /**
   * Sends a 101 to the client and joins the two connections, after the upstream has sent a 101. The exchange ends when
   * the client's connection closes. Returns false, without any effect, if the 101 doesn't match the request.
   *
   * @param headers Headers of the 101, from `HeaderRules.response`.
   */
  open(upstream: Socket, headers: string[]): boolean
}

/** A request that is being forwarded. */
export interface Forwarding {
  /**
   * Ends the exchange now, or after `onHead` if that must still be called. Before the response head was passed on, the
   * outcome is `failed` with this code. After that, the client's connection is closed, and the outcome is `cut` with
   * the code as the reason. Has no effect once the whole response was sent.
   */
  cut(code: ErrorCode): void
}

/** The result of forwarding a request. `reason` is only for the log. */
export type ForwardOutcome =
  /** The whole response was sent to the client. With status 101, the joined connections have ended, too. */
  | { readonly kind: 'answered'; readonly status: number }
  /** The response was interrupted after its head was sent. The client's connection is closed. */
  | { readonly kind: 'cut'; readonly status: number; readonly reason: string }
  /**
   * The client disconnected, and the connection to the upstream is closed. `failure` is set if the
   * exchange went on because of `onHead`, and then ended with a timeout, or an error of the upstream or of `onHead`.
   */
  | { readonly kind: 'aborted'; readonly failure?: Failure }
  /** Nothing was written to the client. The caller must send an error. */
  | ({ readonly kind: 'failed' } & Failure)

export interface Failure {
  readonly error: ErrorCode
  readonly reason: string
  /** The error that `onHead` threw. */
  readonly refusal?: PortcullisError
}

/**
 * Forwards a request to a server of an upstream, and the response to the client. Streams both bodies with backpressure.
 * Headers that are already set on `response` are sent, too.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  options: ForwardOptions,
): Forwarding {
  const { framing, limits } = options
  if (framing.kind === 'sized' && framing.bytes > limits.body) {
    discard(request)
    options.onOutcome({ kind: 'failed', error: 'body_too_large', reason: 'content-length' })
    return { cut() {} }
  }
  const exchange = new Exchange(request, response, options)
  exchange.start()
  return exchange
}
