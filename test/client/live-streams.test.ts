/** WebSockets and event streams with the token of the client. Node 20 has neither, so `ws` and a small stand-in serve. */
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { WebSocket } from 'ws'
import portcullis from '../../plugins/portcullis.js'
import { createClient, openEventSource, openWebSocket } from '../../web/client/client.js'
import { AUDIENCE, ISSUER } from '../support/access-tokens.js'
import { CREDENTIALS, SharedStorage, openClientServer } from '../support/client-server.js'

t.test('a WebSocket brings a fresh token in the query', async (t) => {
  const app = fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(portcullis, {
    store: 'memory',
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: { dir: t.testdir() },
    accept: { from: ['header', 'query'] },
    login: ({ username }) => ({ sub: username }),
  })
  app.get('/chat', { websocket: true, onRequest: app.authenticate }, (socket, { auth }) => {
    socket.send(`hello ${auth!.sub}`)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const baseUrl = `http://127.0.0.1:${port}`
  const storage = new SharedStorage()
  const client = createClient({ baseUrl, storage })
  await client.login(CREDENTIALS)
  const before = await client.token()
  storage.age(900)
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket')
  Object.defineProperty(globalThis, 'WebSocket', { value: WebSocket, configurable: true, writable: true })
  t.teardown(() => {
    if (own) Object.defineProperty(globalThis, 'WebSocket', own)
    else Reflect.deleteProperty(globalThis, 'WebSocket')
  })
  for (const target of ['/chat', `${baseUrl}/chat`, `ws://127.0.0.1:${port}/chat`]) {
    const socket = await openWebSocket(client, target)
    const text = await new Promise((resolve) => {
      socket.addEventListener('message', ({ data }) => resolve(String(data)))
    })
    t.equal(text, 'hello alice', target)
    socket.close()
  }
  t.not(await client.token(), before)
})

t.test('an EventSource brings the token to its own server only', async (t) => {
  const server = await openClientServer(t)
  const client = server.client()
  await client.login(CREDENTIALS)
  const urls: string[] = []
  const own = Object.getOwnPropertyDescriptor(globalThis, 'EventSource')
  Object.defineProperty(globalThis, 'EventSource', {
    configurable: true,
    value: function open(url: URL) {
      urls.push(url.href)
    },
  })
  t.teardown(() => {
    if (own) Object.defineProperty(globalThis, 'EventSource', own)
    else Reflect.deleteProperty(globalThis, 'EventSource')
  })
  await openEventSource(client, '/events?a=b')
  await openEventSource(client, 'https://other.example/events')
  t.same(urls, [
    `${server.url}/events?a=b&access_token=${await client.token()}`,
    'https://other.example/events',
  ])
})
