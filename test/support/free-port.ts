import { once } from 'node:events'
import { createServer } from 'node:net'

/** Of a Redis Cluster node's bus, above its port. */
export const BUS_OFFSET = 10_000

const FIRST = 11_000
const COUNT = 10_000

/**
 * A free port on loopback, whose `BUS_OFFSET` neighbour is free too. Below the range that systems take from for
 * outgoing connections and for port 0, so it stays free while a server on it is down.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT)
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
