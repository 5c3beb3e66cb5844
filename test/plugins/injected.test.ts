/** Requests that no connection has brought: `app.inject`, and `app.injectWS` of @fastify/websocket. */
import websocket from '@fastify/websocket'
import fastify from 'fastify'
import t from 'tap'
import portcullis, { authenticate } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import type { Scope } from '../support/scope.js'
import { home, sharedSettings } from '../support/gateway-process.js'

async function host(t: Scope, options: Partial<PluginOptions> = {}) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(portcullis, { ...sharedSettings(await home(t)), ...options })
  app.get('/chat', { websocket: true, onRequest: authenticate }, (socket, { auth }) => {
    socket.on('message', (text: Buffer) => socket.send(`${auth!.sub}: ${text.toString()}`))
  })
  app.get('/maybe', { websocket: true, onRequest: authenticate.optional }, (socket, { auth }) => {
    socket.on('message', () => socket.send(auth?.sub ?? 'nobody'))
  })
  await app.ready()
  const echo = async (path: string, headers: Record<string, string | string[]>) => {
    const socket = await app.injectWS(path, { headers: headers as Record<string, string> })
    const answered = new Promise<string>((resolve) =>
      socket.once('message', (data: Buffer) => resolve(data.toString())),
    )
    socket.send('hello')
    const text = await answered
    socket.terminate()
    return text
  }
  return { app, echo }
}

t.test('an injected WebSocket with a good token opens, by header and by cookie', async (t) => {
  const { app, echo } = await host(t, { cookies: { secure: false } })
  const { access_token } = await app.portcullis.issue({ sub: 'u1' })
  t.equal(await echo('/chat', { authorization: `Bearer ${access_token}` }), 'u1: hello')
  t.equal(await echo('/chat', { authorization: [`Bearer ${access_token}`] }), 'u1: hello')
  const cookie = { cookie: `access=${access_token}`, host: 'a.test', origin: 'http://a.test' }
  t.equal(await echo('/chat', cookie), 'u1: hello')
  t.equal(await echo('/maybe', { authorization: `Bearer ${access_token}` }), 'u1')
  t.equal(await echo('/maybe', {}), 'nobody')
})

t.test('an injected WebSocket without a good token is refused with 401', async (t) => {
  const { app, echo } = await host(t)
  const { access_token, session_id } = await app.portcullis.issue({ sub: 'u1' })
  const refused = { message: /Unexpected server response: 401/ }
  await t.rejects(echo('/chat', {}), refused)
  await t.rejects(echo('/chat', { authorization: 'Bearer x.y.z' }), refused)
  await t.rejects(echo('/maybe', { authorization: 'Bearer x.y.z' }), refused)
  const twice = [`Bearer ${access_token}`, `Bearer ${access_token}`]
  await t.rejects(echo('/chat', { authorization: twice }), { message: /Unexpected server response: 400/ })
  await app.portcullis.revoke({ sid: session_id })
  await t.rejects(echo('/chat', { authorization: `Bearer ${access_token}` }), refused)
})

t.test('own routes verify the token of an injected WebSocket, too', async (t) => {
  const { app } = await host(t)
  const { access_token } = await app.portcullis.issue({ sub: 'u1' })
  const headers = { authorization: `Bearer ${access_token}` }
  for (const path of ['/auth/me', '/auth/sessions', '/auth/verify'])
    await t.rejects(app.injectWS(path), { message: /Unexpected server response: 401/ }, path)
  await t.rejects(app.injectWS('/auth/verify', { headers }), { message: /Unexpected server response: 200/ })
})
