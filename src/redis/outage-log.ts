import type { Log } from '../logger.js'
import { ReplyError } from 'ioredis'
import type { RedisClient } from './redis-client.js'

/**
 * Logs when the connection to Redis is lost, refused, or back. ioredis emits "error" for every failed attempt, so the
 * same reason is logged only once in a row.
 */
export function logOutages(client: RedisClient, log: Log): void {
  let isDown = false
  let lastReplyError = ''
  client.on('error', (error: Error) => {
    const cause = findCause(error)
    const reason = cause.message
    if (cause instanceof ReplyError) {
      if (reason !== lastReplyError) log.error({ event: 'store_down', reason }, describe(cause))
      lastReplyError = reason
    } else if (!isDown) log.error({ event: 'store_down', reason }, 'Redis is unreachable')
    isDown = true
  })
  client.on('close', () => {
    if (isDown || client.status === 'end') return
    isDown = true
    log.error({ event: 'store_down' }, 'connection to Redis lost')
  })
  client.on('ready', () => {
    if (isDown) log.info({ event: 'store_up' }, 'connection to Redis restored')
    isDown = false
    lastReplyError = ''
  })
}

/** Returns the error of the last node. The error of a Cluster says only that all nodes have failed. */
function findCause(error: Error & { lastNodeError?: Error | null }): Error {
  return error.lastNodeError ?? error
}

/** An error reply of the server. Don't log the command's arguments: they can contain a password. */
type CommandError = Error & { command?: { name: string; args: unknown[] } }

function describe({ message, command }: CommandError): string {
  return command?.name === 'select'
    ? `store: database ${String(command.args[0])} cannot be selected, so Redis is not used: ${message}`
    : `store: Redis refuses the connection: ${message}`
}
