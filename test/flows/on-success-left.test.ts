/** The client leaves before the upstream has answered: what `onSuccess` names ends nevertheless. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import net from 'node:net'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { call, isRefused, logIn, soon, startGateway } from '../support/gateway-process.js'

/** A legacy application that answers when it is told to, and has a request whole when `asked` has its body. */
async function rig(t: Test) {
  const asked: { body: string; response: ServerResponse; isClosed: boolean }[] = []
  const server = createServer(async (request, response) => {
    const one = { body: '', response, isClosed: false }
    response.once('close', () => (one.isClosed = true))
    request.on('error', () => {})
    request.on('data', (piece) => (one.body += String(piece)))
    request.on('end', () => asked.push(one))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const routes = [
    { path: '/password', methods: ['POST'], upstream, onSuccess: 'end-other-sessions' },
    { path: '/', upstream },
  ]
  const { url } = await startGateway(t, { routes })
  const [own, other] = [await logIn(url), await logIn(url)]
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  const head = (path: string, length: number) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${own.access_token}\r\nContent-Length: ${length}\r\n\r\n`
  const me = (token: string) => call(url, 'GET', '/auth/me', { token })
  return { asked, socket, head, me, own: own.access_token, other: other.access_token }
}

t.test('the password was changed and its client disconnected: the other sessions end', async (t) => {
  const { asked, socket, head, me, own, other } = await rig(t)
  socket.write(`${head('/password', 3)}new`)
  await soon('the upstream has all of it', () => asked[0])
  socket.destroy()
  // Another request of the same client, so that the gateway has surely noticed.
  t.equal((await me(other)).status, 200)
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.notOk(asked[0]!.isClosed, 'the upstream is not let go yet')
  asked[0]!.response.end('changed')
  await soon('the other session has ended', async () => (await me(other)).status === 401)
  isRefused(t, await me(other), 401, 'session_ended')
  t.equal((await me(own)).status, 200)
})

t.test('the upstream refuses the change after its client has disconnected: nothing ends', async (t) => {
  const { asked, socket, head, me, own, other } = await rig(t)
  socket.write(`${head('/password', 3)}new`)
  await soon('the upstream has all of it', () => asked[0])
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  asked[0]!.response.writeHead(400).flushHeaders()
  await soon('the upstream is let go', () => asked[0]!.isClosed)
  for (const token of [own, other]) t.equal((await me(token)).status, 200)
})

t.test('pipelined: the request in progress ends the sessions, the one behind it is not sent', async (t) => {
  const { asked, socket, head, me, other } = await rig(t)
  socket.write(`${head('/password', 3)}new${head('/next', 4)}next`)
  await soon('the upstream has the first', () => asked[0])
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  asked[0]!.response.end('changed')
  await soon('the other session has ended', async () => (await me(other)).status === 401)
  t.equal(asked.length, 1)
})

t.test('the second of two pipelined requests is in progress when the client disconnects', async (t) => {
  const { asked, socket, head, me, other } = await rig(t)
  socket.write(`${head('/first', 5)}first${head('/password', 3)}new`)
  await soon('the upstream has the first', () => asked[0])
  asked[0]!.response.end('done')
  await soon('the upstream has the second', () => asked[1])
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  asked[1]!.response.end('changed')
  await soon('the other session has ended', async () => (await me(other)).status === 401)
})

t.test('a client that disconnects within its body has changed nothing: nothing ends', async (t) => {
  const { asked, socket, head, me, own, other } = await rig(t)
  socket.write(`${head('/password', 100)}only a part`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.equal(asked.length, 0, 'the upstream never had it whole')
  for (const token of [own, other]) t.equal((await me(token)).status, 200)
})
