import type { Worker } from 'node:cluster'

/**
 * Records the connection that node:cluster last sent to a worker, and returns a function that closes it. The primary
 * keeps its handle of a connection until the worker has confirmed it. If the worker dies before that, no process would
 * close the connection, and its client would wait forever. Closing a confirmed connection has no effect.
 */
export function noteHandedOver({ process: child }: Worker): () => void {
  let last: { close(): void } | undefined
  const send = child.send.bind(child) as (...parts: unknown[]) => boolean
  child.send = (message: unknown, handle?: unknown, ...rest: unknown[]) => {
    if (handle instanceof Object && 'close' in handle) last = handle as typeof last
    return send(message, handle, ...rest)
  }
  return () => last?.close()
}
