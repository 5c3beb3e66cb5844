/** A way to Redis on which it is counted how often somebody waited for it. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

export interface CountedWay {
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  /**
   * Round trips so far: on each connection, how often commands came after a reply, or first. Commands that are sent
   * together, or before the reply to earlier ones, are one trip.
   */
  roundTrips(): number
  close(): void
}

export async function countRoundTrips(redisUrl: string): Promise<CountedWay> {
  const { hostname, port } = new URL(redisUrl)
  const sockets = new Set<Socket>()
  let trips = 0
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket.setNoDelay())
    socket.on('error', () => {}) // 'close' follows
    socket.once('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
  }
  const server = createServer((client) => {
    const redis = connect(Number(port), hostname)
    let isWaiting = false
    keep(client, redis)
    keep(redis, client)
    client.on('data', (commands) => {
      if (!isWaiting) trips += 1
      isWaiting = true
      redis.write(commands)
    })
    redis.on('data', (reply) => {
      isWaiting = false
      client.write(reply)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    roundTrips: () => trips,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
