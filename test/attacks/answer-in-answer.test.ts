/** Bytes that are no request, sent amid an answer: the parser's refusal must not be written into it. */
import net from 'node:net'
import t from 'tap'
import { rawUpstream, until } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'

t.test('a response in progress is cut, not continued by another one', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfirst part')
  })
  const routes = [
    {
      path: '/',
      upstream: `http://127.0.0.1:${upstream.port}`,
      auth: 'none',
    },
  ]
  const { url } = await startGateway(t, { routes })
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1')
  t.teardown(() => socket.destroy())
  let text = ''
  let isClosed = false
  socket.on('data', (chunk) => (text += chunk.toString()))
  socket.on('error', () => {})
  socket.on('close', () => (isClosed = true))
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await until('the answer has begun', () => text.includes('first part'))
  socket.write('\0\0 nonsense\r\n\r\n')
  await until('the connection is closed', () => isClosed)
  t.match(text, /first part$/, 'nothing comes after what the upstream sent')
  t.equal(text.split('HTTP/1.1 ').length - 1, 1, 'one answer')
})
