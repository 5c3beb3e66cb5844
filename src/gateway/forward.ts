import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Milliseconds } from '../clock.js'
import { Exchange } from './exchange.js'
import type { HeaderRules, RequestFraming } from './headers.js'
import { discard, type BodyLimits } from './request-body.js'
import type { Upstream } from './upstreams.js'

export interface ForwardOptions {
  readonly upstream: Upstream
  /** Path and query, judged by `judgeTarget`; sent as it is. */
  readonly target: string
  /** From `HeaderRules.request`, as is `framing`. */
  readonly headers: string[]
  readonly framing: RequestFraming
  readonly rules: HeaderRules
  readonly limits: BodyLimits & {
    /** How long a client may take nothing of an answer that waits for it. */
    readonly idle: Milliseconds
  }
  /** 0 = none. Those of the upstream's answer count to half a second at best. */
  readonly timeouts: {
    /** Until the head of the answer: in line for a connection, and again from the end of the request. */
    readonly headers: Milliseconds
    /** Between two pieces of the answer. */
    readonly body: Milliseconds
    /** From the call of `forward` to the answer's last byte. */
    readonly total: Milliseconds
  }
}

export type ForwardError = 'upstream_unavailable' | 'upstream_timeout' | 'body_too_large' | 'request_timeout'

/** What became of a request; `reason` is for the log alone. */
export type Outcome =
  /** The upstream's answer went to the client, whole. */
  | { readonly kind: 'answered'; readonly status: number }
  /** The answer had begun and could not be finished; the client's connection is closed. */
  | { readonly kind: 'cut'; readonly status: number; readonly reason: string }
  /** The client went away; the upstream's connection is closed. */
  | { readonly kind: 'aborted' }
  /** Nothing was written to the client: the caller answers. */
  | { readonly kind: 'failed'; readonly error: ForwardError; readonly reason: string }

/**
 * Passes a request to an upstream and its answer back, streaming both ways, each no faster than the other side takes it.
 * Never rejects. Headers that were set on `response` before are sent too.
 */
export function forward(
  request: IncomingMessage,
  response: ServerResponse,
  options: ForwardOptions,
): Promise<Outcome> {
  const { framing, limits } = options
  if (framing.kind === 'sized' && framing.bytes > limits.body) {
    discard(request)
    return Promise.resolve({ kind: 'failed', error: 'body_too_large', reason: 'content-length' })
  }
  return new Promise((resolve) => new Exchange(request, response, options, resolve).start())
}
