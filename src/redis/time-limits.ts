import type { Command, Redis } from 'ioredis'
import type { Milliseconds } from '../clock.js'
import { startTimeLimit } from '../deadline.js'

/**
 * Limits on a connection. They replace `commandTimeout` and `socketTimeout` of ioredis, which take a stalled event loop
 * for a silent server.
 */
export interface TimeLimits {
  /** How long one command may take; `undefined` for commands that block. */
  readonly commandTimeout: Milliseconds | undefined
  /** How long the server may be silent while it owes a reply. The connection is dropped then. */
  readonly socketTimeout: Milliseconds
}

type SendCommand = Redis['sendCommand']

/** Commands whose time is running. A Cluster sends one again, on another connection, when a slot has moved. */
const limited = new WeakSet<Command>()

/** Applies the limits to each connection that this client opens. Call it before the client has sent anything. */
export function limitTime(redis: Redis, { commandTimeout, socketTimeout }: TimeLimits): void {
  let cancel: (() => void) | undefined
  const stopWatch = () => {
    cancel?.()
    cancel = undefined
  }
  const watch = () => {
    if (cancel || redis.commandQueue.length === 0) return
    const { stream } = redis
    cancel = startTimeLimit(socketTimeout, () => {
      cancel = undefined
      stream.destroy(new Error(`Redis was silent for ${socketTimeout} ms while it owed a reply`))
    })
  }
  const send: SendCommand = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, ...rest) => {
    const sent = send(command, ...rest)
    if (commandTimeout !== undefined) limitCommand(command, commandTimeout)
    watch()
    return sent
  }
  redis.on('connect', () => {
    // Behind ioredis' own listener, so that the queue holds what is still owed.
    redis.stream.on('data', () => {
      stopWatch()
      watch()
    })
  })
  redis.on('close', stopWatch)
}

function limitCommand(command: Command, timeout: Milliseconds): void {
  if (limited.has(command)) return
  limited.add(command)
  const cancel = startTimeLimit(timeout, () => command.reject(new Error('Command timed out')))
  command.promise.then(cancel, cancel)
}
