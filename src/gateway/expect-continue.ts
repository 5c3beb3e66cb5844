import type { IncomingMessage, ServerResponse } from 'node:http'

const owed = new WeakMap<IncomingMessage, ServerResponse>()

/**
 * The client waits for `100 Continue` (RFC 9110 §10.1.1), which it gets once somebody wants its body. Answered without
 * that, its connection is closed by Node, as nobody knows whether the body still comes.
 */
export function oweContinue(request: IncomingMessage, response: ServerResponse): void {
  owed.set(request, response)
}

/** Somebody wants the body: the client is told, once, if it waits for that. */
export function sendContinue(request: IncomingMessage): void {
  const response = owed.get(request)
  if (response === undefined) return
  owed.delete(request)
  if (!response.headersSent) response.writeContinue()
}
