/** A host that ends WebSockets and event streams itself, and ties them to their tokens by `app.portcullis.watch`. */
import { once } from 'node:events'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import portcullis from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { home, sharedSettings, soon } from '../support/gateway-process.js'

async function host(t: Test, options: Partial<PluginOptions> = {}) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...sharedSettings(await home(t)), ...options })
  const sockets = new WebSocketServer({ noServer: true })
  t.teardown(() => sockets.clients.forEach((socket) => socket.terminate()))
  let watched = 0
  app.server.on('upgrade', async (request, connection, head) => {
    const token = String(request.headers.authorization).slice('Bearer '.length)
    const auth = await app.portcullis.verifyToken(token).catch(() => undefined)
    if (!auth) return void connection.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
    sockets.handleUpgrade(request, connection, head, (socket) => {
      const unwatch = app.portcullis.onTokenEnd(auth, (code) => socket.close(4401, code))
      watched += 1
      socket.on('close', () => (unwatch(), (watched -= 1)))
      socket.on('message', (data) => socket.send(String(data)))
    })
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const open = async (sub: string) => {
    const { access_token, session_id, refresh_token } = await app.portcullis.issue({ sub })
    const headers = { authorization: `Bearer ${access_token}` }
    const socket = new WebSocket(url.replace('http', 'ws'), { headers })
    const closed = once(socket, 'close') as Promise<[number, Buffer]>
    await once(socket, 'open')
    return { socket, sid: session_id, refresh_token, closed }
  }
  return { app, open, watched: () => watched }
}

t.test('a WebSocket whose session ends is closed with 4401 and the reason; others stay open', async (t) => {
  const { app, open, watched } = await host(t)
  const [one, another, third] = [await open('ada'), await open('ada'), await open('bob')]
  await app.portcullis.revoke({ sid: one.sid })
  const since = performance.now()
  const [code, reason] = await one.closed
  t.strictSame([code, String(reason)], [4401, 'session_ended'])
  t.ok(performance.now() - since < 500, 'soon')
  await app.portcullis.sessions.endAll('ada')
  t.strictSame((await another.closed)[0], 4401)
  third.socket.send('still here')
  t.equal(String((await once(third.socket, 'message'))[0]), 'still here')
  await soon('what is closed is watched no longer', () => watched() === 1)
})

t.test('a WebSocket whose token expires is closed, too', async (t) => {
  const { open } = await host(t, { tokens: { access: '2s' } })
  const [code, reason] = await (await open('ada')).closed
  t.strictSame([code, String(reason)], [4401, 'token_expired'])
})
