import type { Command, Redis } from 'ioredis'
import type { Milliseconds } from '../clock.js'
import { startTimeLimit } from '../deadline.js'

/**
 * Time limits of a connection. They replace `commandTimeout` and `socketTimeout` of ioredis, which can't distinguish a
 * stalled event loop from a silent server.
 */
export interface TimeLimits {
  /** The limit for one command, or `undefined` on a connection for blocking commands. */
  readonly commandTimeout: Milliseconds | undefined
  /** The longest silence of the server while a reply is pending. After that the connection is dropped. */
  readonly socketTimeout: Milliseconds
}

type SendCommand = Redis['sendCommand']

/** Commands that have a time limit already. A Cluster client sends a command a second time if its slot has moved. */
const limited = new WeakSet<Command>()

/** Applies the limits to all connections of a client. Call this function before the client sends its first command. */
export function limitTime(redis: Redis, { commandTimeout, socketTimeout }: TimeLimits): void {
  let cancel: (() => void) | undefined
  const stopWaiting = () => {
    cancel?.()
    cancel = undefined
  }
  const waitForReply = () => {
    if (cancel || redis.commandQueue.length === 0) return
    const { stream } = redis
    cancel = startTimeLimit(socketTimeout, () => {
      cancel = undefined
      stream.destroy(new Error(`Redis sent nothing for ${socketTimeout} ms while a reply was pending`))
    })
  }
  const send: SendCommand = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, ...rest) => {
    const sent = send(command, ...rest)
    if (commandTimeout !== undefined) limitCommand(command, commandTimeout)
    waitForReply()
    return sent
  }
  redis.on('connect', () => {
    // ioredis added its own listener first, so at this point the queue holds only commands without a reply.
    redis.stream.on('data', () => {
      stopWaiting()
      waitForReply()
    })
  })
  redis.on('close', stopWaiting)
}

function limitCommand(command: Command, timeout: Milliseconds): void {
  if (limited.has(command)) return
  limited.add(command)
  const cancel = startTimeLimit(timeout, () => command.reject(new Error('Command timed out')))
  command.promise.then(cancel, cancel)
}
