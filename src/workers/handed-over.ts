import type { Worker } from 'node:cluster'

/**
 * Node gives a worker one connection at a time, and keeps it until the worker has said that it took it. One that died
 * before leaves its client with a connection that nobody has and nobody closes. Gives the function that closes it;
 * closing one that was taken does nothing.
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
