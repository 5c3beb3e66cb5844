import type { FastifyBaseLogger } from 'fastify'
import { ReplyError } from 'ioredis'
import type { RedisClient } from '../src/redis/redis-client.js'

/**
 * Logs when the connection is lost, when Redis refuses it, and when it is back. ioredis emits "error" for each attempt
 * between; a reason is logged once.
 */
export function logOutages(client: RedisClient, log: FastifyBaseLogger): void {
  let isDown = false
  let refusal = ''
  client.on('error', (error: Error) => {
    const cause = findCause(error)
    const reason = cause.message
    if (cause instanceof ReplyError) {
      if (reason !== refusal) log.error({ event: 'store_down', reason }, describe(cause))
      refusal = reason
    } else if (!isDown) log.error({ event: 'store_down', reason }, 'Redis cannot be reached')
    isDown = true
  })
  client.on('close', () => {
    if (isDown || client.status === 'end') return
    isDown = true
    log.error({ event: 'store_down' }, 'the connection to Redis was lost')
  })
  client.on('ready', () => {
    if (isDown) log.info({ event: 'store_up' }, 'Redis is back')
    isDown = false
    refusal = ''
  })
}

/** A Cluster only says that all of its nodes have failed; the last one's error says why. */
function findCause(error: Error & { lastNodeError?: Error | null }): Error {
  return error.lastNodeError ?? error
}

/** An error that the server replied. Its command's arguments may be a password. */
type PortcullisError = Error & { command?: { name: string; args: unknown[] } }

function describe({ message, command }: PortcullisError): string {
  return command?.name === 'select'
    ? `store: database ${String(command.args[0])} cannot be selected, so that Redis is not used: ${message}`
    : `store: Redis refuses the connection: ${message}`
}
