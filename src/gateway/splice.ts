import type { Socket } from 'node:net'
import type { Milliseconds } from '../clock.js'

/** How long the connections stay open after one side has ended, so that the other side can read the rest and close. */
const LINGER: Milliseconds = 5000
/** Idle time after which the operating system sends TCP keep-alive probes. */
const KEEP_ALIVE_AFTER: Milliseconds = 60_000

/**
 * Joins two connections. Copies the data of each to the other, with backpressure. When one connection ends, the other
 * is ended, too. An idle connection stays open unless TCP keep-alive finds that its peer is gone.
 */
export function splice(client: Socket, upstream: Socket): void {
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.setTimeout(0)
    from.setKeepAlive(true, KEEP_ALIVE_AFTER)
    from.on('error', () => {})
    // `pipe` also ends the other connection after all data is written.
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
