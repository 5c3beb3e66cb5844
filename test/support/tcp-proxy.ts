/** A TCP proxy between one gateway and its Redis, which can partition and delay the connection. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Scope } from './redis.js'

export interface TcpProxy {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  /** Drops everything that is sent, without an error for either side. */
  partition(): void
  /** Ends the partition. Destroys the connections, so what was sent meanwhile is lost. */
  heal(): void
  /** Delivers each chunk this many ms later, in order. */
  delay(milliseconds: number): void
}

/** Starts a proxy to the Redis on a port. */
export async function startProxy(t: Scope, port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let isCut = false
  let delay = 0
  const pass = (from: Socket, to: Socket) => {
    let waiting = 0
    let turn = Promise.resolve()
    const later = (deed: () => void) => {
      if (delay === 0 && waiting === 0) return isCut ? undefined : deed()
      waiting += 1
      turn = pause(turn, performance.now() + delay, () => {
        waiting -= 1
        if (!isCut) deed()
      })
    }
    sockets.add(from)
    from.setNoDelay(true)
    from.on('error', () => {})
    from.on('data', (chunk) => later(() => to.writable && to.write(chunk)))
    from.once('close', () => {
      sockets.delete(from)
      later(() => to.destroy())
    })
  }
  const server = createServer((socket) => {
    const redis = connect(port, '127.0.0.1')
    pass(socket, redis)
    pass(redis, socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  t.teardown(() => {
    server.close()
    drop()
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    partition: () => void (isCut = true),
    heal() {
      drop()
      isCut = false
    },
    delay: (milliseconds) => void (delay = milliseconds),
  }
}

/** Runs `deed` at `due`, but not before earlier ones have run. */
async function pause(former: Promise<void>, due: number, deed: () => void): Promise<void> {
  await former
  await sleep(Math.max(0, due - performance.now()))
  deed()
}
