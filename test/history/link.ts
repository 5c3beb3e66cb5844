/** The way from one gateway to its Redis, which can be cut without a word, and slowed down. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Scope } from '../support/redis.js'

export interface Link {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  /** Nothing is refused, nothing arrives. */
  cut(): void
  /** What was sent meanwhile is lost, with its connections. */
  mend(): void
  /** Each piece arrives so many ms later, in order. */
  delay(milliseconds: number): void
}

export async function startLink(t: Scope, port: number): Promise<Link> {
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
    cut: () => void (isCut = true),
    mend() {
      drop()
      isCut = false
    },
    delay: (milliseconds) => void (delay = milliseconds),
  }
}

/** In the order of the calls, whatever their times. */
async function pause(former: Promise<void>, due: number, deed: () => void): Promise<void> {
  await former
  await sleep(Math.max(0, due - performance.now()))
  deed()
}
