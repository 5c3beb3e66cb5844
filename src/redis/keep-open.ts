import type { Redis } from 'ioredis'
import type { Milliseconds } from '../clock.js'
import type { RedisClient } from './redis-client.js'

/**
 * Opens a client again whenever it ends without our doing. ioredis gives up where its connection is dropped before
 * there is a socket: a Sentinel reports a failover while it is asked for the primary.
 *
 * Scripts, listeners and options stay with the client, so that its callers can keep it.
 *
 * @returns Closes the client for good.
 */
export function keepOpen(client: RedisClient, pause: Milliseconds): () => void {
  let isClosed = false
  let reopening: NodeJS.Timeout | undefined
  client.on('end', () => {
    clearTimeout(reopening)
    // An attempt that fails ends the client again.
    if (!isClosed) reopening = setTimeout(() => void client.connect().catch(() => {}), pause)
  })
  return () => {
    isClosed = true
    clearTimeout(reopening)
    client.disconnect()
  }
}

/**
 * Drops a connection on which an error came before it was ready. ioredis would use one whose SELECT was refused, and
 * that is a connection to database 0.
 */
export function dropUnlessSetUp(client: Redis): void {
  client.on('error', () => {
    if (client.status === 'connect') client.disconnect(true)
  })
}
