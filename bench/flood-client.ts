/**
 * One flood, sent from a process of its own: `node flood-client.js KIND PORT SECONDS`. The variable `FLOOD_TOKEN` has an
 * access token of the gateway. Prints how many requests or connections there were.
 */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { USERS } from '../test/support/gateway-process.js'

const [kind = '', port = '', seconds = ''] = process.argv.slice(2)
const token = process.env['FLOOD_TOKEN'] ?? ''
const url = `http://127.0.0.1:${port}`
const endsAt = performance.now() + Number(seconds) * 1_000
let count = 0

/** Keeps a number of sockets open: those that the gateway closes are opened again. */
async function holdSockets(size: number, begin: (socket: net.Socket) => void): Promise<void> {
  const open = new Set<net.Socket>()
  while (performance.now() < endsAt) {
    for (let n = 0; n < 50 && open.size < size; n += 1) {
      const socket = net.connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true })
      open.add(socket)
      count += 1
      socket.on('error', () => {}).once('close', () => open.delete(socket))
      socket.once('end', () => setTimeout(() => socket.destroy(), 1_000).unref())
      begin(socket.resume())
    }
    await sleep(20)
  }
}

/** Sends requests on a number of connections, each as soon as the last one has a response. */
async function loop(size: number, send: (pool: Pool, nth: number) => Promise<unknown>): Promise<void> {
  const pool = new Pool(url, { connections: size })
  const one = async () => {
    while (performance.now() < endsAt) {
      count += 1
      await send(pool, count).catch(() => sleep(20))
    }
  }
  await Promise.all(Array.from({ length: size }, one))
}

const FLOODS: Readonly<Record<string, () => Promise<void>>> = {
  'slow bodies': () =>
    holdSockets(300, (socket) => {
      socket.write('POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 200)
      socket.once('close', () => clearInterval(timer))
    }),
  'idle sockets': () => holdSockets(1_200, () => {}),
  handshakes: () =>
    holdSockets(110, (socket) =>
      socket.write(
        'GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      ),
    ),
  'wrong signatures': () =>
    loop(32, async (pool, nth) => {
      const at = token.lastIndexOf('.') + 20
      const wrong = `${token.slice(0, at)}${String(nth).padStart(8, 'A')}${token.slice(at + 8)}`
      const headers = { authorization: `Bearer ${wrong}` }
      await (await pool.request({ method: 'GET', path: '/x', headers })).body.dump()
    }),
  'good logins of one user': () =>
    loop(150, async (pool) => {
      const body = JSON.stringify({ username: 'bob', password: USERS.bob })
      const headers = { 'content-type': 'application/json' }
      await (await pool.request({ method: 'POST', path: '/auth/login', headers, body })).body.dump()
    }),
}

await FLOODS[kind]!()
console.log(count)
process.exit(0)
