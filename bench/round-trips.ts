/** A proxy in front of Redis that counts round trips. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

export interface CountingProxy {
  /** The URL of the proxy: `redis://127.0.0.1:<port>`. */
  readonly url: string
  /**
   * Returns the number of round trips so far. A round trip starts with the first command on a connection, or the first
   * one after a reply. Commands that are sent together, or before the reply to earlier ones, are one round trip.
   */
  roundTrips(): number
  close(): void
}

export async function countRoundTrips(redisUrl: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(redisUrl)
  const sockets = new Set<Socket>()
  let trips = 0
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket.setNoDelay())
    socket.on('error', () => {}) // The event `close` follows.
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
