import type { ResponseHead } from './response-head.js'

/** The events of a parser, in this order. A paused parser emits none. */
export interface ResponseEvents {
  /** Called for each interim response (1xx). */
  onInterim(head: ResponseHead): void
  onHead(head: ResponseHead): void
  onData(piece: Buffer): void
  /** @param trailers Names and values in turn, like `ResponseHead.headers`. */
  onEnd(trailers: string[]): void
  /** Called for a 101, instead of `onHead` and all later events. `rest` is data of the new protocol. */
  onUpgrade(head: ResponseHead, rest: Buffer): void
}

/** The properties of a request that decide how its response is parsed. */
export interface Expected {
  /** True for the method HEAD, whose response has no body. */
  readonly isHead: boolean
  readonly isUpgrade: boolean
}
