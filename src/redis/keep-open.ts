import type { Redis } from 'ioredis'
import type { Milliseconds } from '../clock.js'
import type { RedisClient } from './redis-client.js'

/**
 * Reconnects a client whenever it ends before it was closed. ioredis stops reconnecting if its connection is dropped
 * before a socket exists. This happens when a Sentinel reports a failover while ioredis queries it for the primary.
 *
 * The client object keeps its scripts, listeners and options, so callers can continue to use it.
 *
 * @param pause The delay before each attempt, in ms
 * @returns A function that closes the client for good.
 */
export function keepOpen(client: RedisClient, pause: Milliseconds): () => void {
  let isClosed = false
  let reopening: NodeJS.Timeout | undefined
  client.on('end', () => {
    clearTimeout(reopening)
    // A failed attempt emits 'end' again, which schedules the next attempt.
    if (!isClosed) reopening = setTimeout(() => void client.connect().catch(() => {}), pause)
  })
  return () => {
    isClosed = true
    clearTimeout(reopening)
    client.disconnect()
  }
}

/**
 * Drops a connection that has an error during its setup, and lets ioredis reconnect. Otherwise ioredis would keep using
 * a connection whose SELECT failed, which is a connection to database 0.
 */
export function dropUnlessSetUp(client: Redis): void {
  client.on('error', () => {
    if (client.status === 'connect') client.disconnect(true)
  })
}
