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
  /** Path and query, judged by `judgeTarget`; sent as it is. */
  readonly target: string
  /** What `Host` the upstream sees; undefined: its own. */
  readonly host: string | undefined
  /** From `HeaderRules.request`, as is `framing`. */
  readonly headers: readonly string[]
  readonly framing: RequestFraming
  readonly rules: HeaderRules
  readonly limits: BodyLimits & {
    /** How long a client may take nothing of an answer that waits for it. */
    readonly idle: Milliseconds
  }
  /** 0 = none. Those of the upstream's answer are looked at four times a second. */
  readonly timeouts: {
    /** Until the head of the answer: in line for a connection, and again from the end of the request. */
    readonly headers: Milliseconds
    /** Between two pieces of the answer. */
    readonly body: Milliseconds
    /** From the call of `forward` to the answer's last byte, or to the 101. */
    readonly total: Milliseconds
  }
  /**
   * Called with the response's status before anything of it is passed on, which then waits for the promise. A PortcullisError
   * thrown is answered instead. Once the upstream has the whole request this is owed: a client that leaves, or a `cut`,
   * doesn't end the exchange before the head has come, or a timeout, and the promise has settled.
   */
  readonly onHead?: ((status: number) => void | Promise<void>) | undefined
  /** Told once. */
  readonly onOutcome: (outcome: ForwardOutcome) => void
  /** Asks the upstream to go on in another protocol; its answer may still be an ordinary one. */
  readonly upgrade?: Upgrade | undefined
}

export interface Upgrade {
  /** For the header of this name. */
  readonly protocol: string
  /**
   * The upstream has answered 101: answers the client likewise, and joins the two connections. Closed, the client's
   * ends it all. Says false where that isn't the answer to what was asked, and has then done nothing.
   *
   * @param headers From `HeaderRules.response`.
   */
  open(upstream: Socket, headers: string[]): boolean
}

export interface Forwarding {
  /**
   * Ends it now, or when `onHead` is no longer owed. Before the answer's head was passed on the outcome is `failed`
   * with this code; after that the client's connection is cut, and the code is the reason; once the answer has left,
   * nothing happens.
   */
  cut(code: ErrorCode): void
}

/** What became of a request; `reason` is for the log alone. */
export type ForwardOutcome =
  /**
   * The upstream's answer went to the client, whole. 101: the client has ended what came after that, or the upstream.
   */
  | { readonly kind: 'answered'; readonly status: number }
  /** The answer had begun and could not be finished; the client's connection is closed. */
  | { readonly kind: 'cut'; readonly status: number; readonly reason: string }
  /** The client went away; the upstream's connection is closed. `failure`: why an owed `onHead` came to nothing. */
  | { readonly kind: 'aborted'; readonly failure?: Failure }
  /** Nothing was written to the client: the caller answers. */
  | ({ readonly kind: 'failed' } & Failure)

export interface Failure {
  readonly error: ErrorCode
  readonly reason: string
  /** What `onHead` threw. */
  readonly refusal?: PortcullisError
}

/**
 * Passes a request to a target of an upstream and its answer back, streaming both ways, each no faster than the other
 * side takes it. Headers that were set on `response` before are sent too.
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
