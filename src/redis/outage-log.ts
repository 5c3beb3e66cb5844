import type { Log } from '../logger.js'
import { ReplyError } from 'ioredis'
import { CLOSED_EARLY, describeOutage } from './describe-outage.js'
import type { RedisClient } from './redis-client.js'

/**
 * Logs when the connection to Redis is lost, refused, or back. ioredis emits "error" for every failed attempt, so the
 * same reason is logged only once in a row.
 */
export function logOutages(client: RedisClient, log: Log): void {
  let isDown = false
  /** True once the server has replied on the current connection. */
  let hasReplied = false
  let lastReplyError = ''
  client.on('error', (error: Error) => {
    const cause = findCause(error)
    const reason = cause.message
    if (cause instanceof ReplyError) {
      if (reason !== lastReplyError) log.error({ event: 'store_down', reason }, describeOutage(client, cause))
      lastReplyError = reason
    } else if (!isDown) log.error({ event: 'store_down', reason }, describeOutage(client, cause))
    isDown = true
  })
  client.on('close', () => {
    if (isDown || client.status === 'end') return
    isDown = true
    log.error({ event: 'store_down' }, hasReplied ? 'connection to Redis lost' : CLOSED_EARLY)
    hasReplied = false
  })
  client.on('ready', () => {
    if (isDown) log.info({ event: 'store_up' }, 'connection to Redis restored')
    isDown = false
    hasReplied = true
    lastReplyError = ''
  })
}

/** Returns the error of the last node. The error of a Cluster says only that all nodes have failed. */
function findCause(error: Error & { lastNodeError?: Error | null }): Error {
  return error.lastNodeError ?? error
}
