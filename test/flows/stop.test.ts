/** The server stops: no request that has arrived on an open connection is lost. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import t from 'tap'
import type { Test } from 'tap'
import { authority } from '../support/certificates.js'
import { home, soon, startGateway } from '../support/gateway-process.js'

const HEALTH = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
const CLOSES = /^connection: close\r$/im

/** A client's connection, and all that has come on it. */
interface Client {
  readonly socket: net.Socket
  text: string
  end: 'open' | 'end' | 'reset'
}

async function connect(url: string, isSecure = false): Promise<Client> {
  const { port, hostname } = new URL(url)
  const socket = isSecure
    ? tls.connect({ port: Number(port), host: hostname, rejectUnauthorized: false })
    : net.connect({ port: Number(port), host: hostname, allowHalfOpen: true })
  const client: Client = { socket, text: '', end: 'open' }
  socket.on('data', (piece) => (client.text += piece.toString()))
  socket.on('end', () => (client.end = 'end'))
  socket.on('error', () => (client.end = 'reset'))
  await once(socket, isSecure ? 'secureConnect' : 'connect')
  return client
}

const answers = ({ text }: Client) => text.split(/(?=HTTP\/1\.1 \d{3} )/).filter((one) => one !== '')

/** One request on it was answered; it is kept. */
async function keep(client: Client): Promise<Client> {
  client.socket.write(HEALTH)
  await soon('it was answered', () => client.text.endsWith('}'))
  t.notMatch(client.text, CLOSES)
  client.text = ''
  return client
}

/** Where each request waits for `answer`. */
async function startSlow(t: Test) {
  const open: ServerResponse[] = []
  const server = createServer((_request, response) => void open.push(response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { open, routes: [{ path: '/', upstream, auth: 'none' }] }
}

for (const isSecure of [false, true]) {
  const what = isSecure ? 'TLS' : 'plain'
  t.test(`${what}: requests that have arrived but were not read yet are answered`, async (t) => {
    const directory = await home(t)
    const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
    const { cert, key } = authority('the test').issue('127.0.0.1')
    await Promise.all([writeFile(files.cert, cert), writeFile(files.key, key)])
    const listen = { host: '127.0.0.1', port: 0, ...(isSecure && { tls: files }) }
    const server = await startGateway(t, { listen }, directory)
    const clients = await Promise.all(Array.from({ length: 20 }, () => connect(server.url, isSecure)))
    for (const client of clients) await keep(client)
    // The system has the bytes when this turn of the event loop ends; the server reads them in the next.
    for (const { socket } of clients) socket.write(HEALTH)
    const closed = server.close()
    for (const client of clients) {
      await soon('the server has ended it', () => client.end !== 'open')
      t.match(client, { text: /^HTTP\/1\.1 200 /, end: 'end' })
      t.match(client.text, CLOSES)
      client.socket.end()
    }
    await closed
  })
}

t.test('new connections that the server has not accepted yet', async (t) => {
  const server = await startGateway(t)
  const connecting = Array.from({ length: 20 }, () => connect(server.url))
  // The system makes them before the server accepts the last: one in a turn of the event loop.
  const clients = await Promise.all(connecting)
  for (const { socket } of clients) socket.write(HEALTH)
  const closed = server.close()
  for (const client of clients) {
    await soon('the server has ended it', () => client.end !== 'open')
    t.match(client, { text: /^HTTP\/1\.1 200 /, end: 'end' })
    client.socket.end()
  }
  await closed
})

t.test('pipelined requests are all answered, and the last response closes', async (t) => {
  const { open, routes } = await startSlow(t)
  const server = await startGateway(t, { routes })
  const client = await connect(server.url)
  client.socket.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
  await soon('the upstream has the first', () => open[0])
  const closed = server.close()
  await delay(50)
  client.socket.write('GET /3 HTTP/1.1\r\nHost: x\r\n\r\n')
  await delay(50)
  for (const at of [0, 1, 2]) (await soon('the upstream has it', () => open[at])).end(`the answer ${at}`)
  await soon('the server has ended it', () => client.end !== 'open')
  t.equal(client.end, 'end')
  t.strictSame(
    answers(client).map((one) => [one.slice(-12), CLOSES.test(one)]),
    [
      ['the answer 0', false],
      ['the answer 1', false],
      ['the answer 2', true],
    ],
  )
  client.socket.end()
  await closed
})

t.test('data behind a closing response is not processed and resets nothing', async (t) => {
  const { open, routes } = await startSlow(t)
  const server = await startGateway(t, { routes })
  const client = await connect(server.url)
  client.socket.write('GET /1 HTTP/1.1\r\nHost: x\r\n\r\n')
  await soon('the upstream has the first', () => open[0])
  const closed = server.close()
  open[0]!.writeHead(200, { 'content-length': 7 }).write('thr')
  await soon('its head has come', () => client.text.endsWith('thr'))
  client.socket.write('GET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
  await delay(50)
  open[0]!.end('ough')
  open[0]!.end()
  await soon('the server has ended it', () => client.end !== 'open')
  client.socket.write('GET /3 HTTP/1.1\r\nHost: x\r\n\r\n')
  await delay(100)
  t.match(client, { text: /connection: close\r[^]*through$/i, end: 'end' })
  t.equal(open.length, 1)
  client.socket.end()
  await closed
})

t.test('a partly received request is answered when the rest arrives', async (t) => {
  const server = await startGateway(t)
  const client = await keep(await connect(server.url))
  const quiet = await connect(server.url)
  client.socket.write(HEALTH.slice(0, 20))
  await delay(50)
  const closed = server.close()
  await soon('a connection without a request has ended', () => quiet.end === 'end')
  quiet.socket.end()
  client.socket.write(HEALTH.slice(20))
  await soon('the server has ended it', () => client.end !== 'open')
  t.match(client, { text: /^HTTP\/1\.1 200 [^]*connection: close/i, end: 'end' })
  client.socket.end()
  await closed
})

t.test('a connection without a request is ended, not reset, even if the client then sends one', async (t) => {
  const server = await startGateway(t)
  const client = await keep(await connect(server.url))
  const closed = server.close()
  await soon('the server has ended it', () => client.end !== 'open')
  client.socket.write(HEALTH)
  await delay(100)
  t.match(client, { text: '', end: 'end' })
  client.socket.end()
  await closed
})

t.test('a body that is being sent when the server stops arrives complete', async (t) => {
  const seen: string[] = []
  const echo = createServer(async (request, response) => {
    for await (const piece of request) seen.push(String(piece))
    response.end(seen.join(''))
  })
  await once(echo.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => void echo.close())
  const upstream = `http://127.0.0.1:${(echo.address() as AddressInfo).port}`
  const server = await startGateway(t, { routes: [{ path: '/', upstream, auth: 'none' }] })
  const client = await keep(await connect(server.url))
  client.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\npass')
  await soon('the upstream has a part', () => seen.length === 1)
  const closed = server.close()
  await delay(500)
  client.socket.write('word')
  await soon('the server has ended it', () => client.end !== 'open')
  t.match(client, { text: /^HTTP\/1\.1 200 [^]*connection: close[^]*password/i, end: 'end' })
  client.socket.end()
  await closed
})
