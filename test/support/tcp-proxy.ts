import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { once } from 'node:events'
import type { Scope } from './redis.js'

/** A way to a Redis that can be cut, as a network is: nothing is refused, nothing arrives. */
export interface TcpProxy {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  partition(): void
  /** What was sent meanwhile is lost, with its connections. */
  heal(): void
}

export async function startProxy(t: Scope, port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let isCut = false
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  const pass = (from: Socket, to: Socket) => {
    from.on('data', (chunk) => {
      if (!isCut) to.write(chunk)
    })
    from.once('close', () => {
      if (!isCut) to.destroy()
    })
  }
  const server = createServer((socket) => {
    keep(socket)
    if (isCut) return void socket.resume()
    const redis = connect(port, '127.0.0.1')
    keep(redis)
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
  }
}
