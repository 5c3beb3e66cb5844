import type { IncomingMessage, ServerResponse } from 'node:http'

/** The responses whose clients wait for `100 Continue`. */
const pending = new WeakMap<IncomingMessage, ServerResponse>()

/**
 * Registers a client that waits for `100 Continue` (RFC 9110 §10.1.1). `sendContinue` sends it when the body is needed.
 * If a final response is sent first, Node closes the connection, because the client may still send the body.
 */
export function oweContinue(request: IncomingMessage, response: ServerResponse): void {
  pending.set(request, response)
}

/** Returns true if the client still waits for `100 Continue` before it sends the body. */
export function owesContinue(request: IncomingMessage): boolean {
  return pending.has(request)
}

/** Sends `100 Continue`, once, if the client waits for it. Call it before reading the body. */
export function sendContinue(request: IncomingMessage): void {
  const response = pending.get(request)
  if (response === undefined) return
  pending.delete(request)
  if (!response.headersSent) response.writeContinue()
}
