import type { Socket } from 'node:net'
import type { Milliseconds } from '../clock.js'

/** How long one side may still take what the other has sent, and close, after that has ended. */
const LINGER: Milliseconds = 5000
/** Of silence, before the system asks whether the other side is still there. */
const KEEP_ALIVE_AFTER: Milliseconds = 60_000

/**
 * Joins two connections: what comes on one goes out on the other, no faster than that takes it. When one ends, so does
 * the other. Silence ends none, only a peer that is gone.
 */
export function splice(client: Socket, upstream: Socket): void {
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.setTimeout(0)
    from.setKeepAlive(true, KEEP_ALIVE_AFTER)
    from.on('error', () => {})
    // Ends the other one, too, when all is written.
    from.pipe(to)
    from.once('end', () => {
      setTimeout(() => void [from.destroy(), to.destroy()], LINGER).unref()
    })
    from.once('close', () => {
      if (from.readableEnded) to.resume()
      else to.destroy()
    })
  }
}
