/**
 * Requests by cookie that another site makes a browser send, over a TLS listener, HTTP/2, or as a WebSocket handshake in
 * a host's application.
 */
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { Agent, request } from 'undici'
import portcullis from '../../plugins/portcullis.js'
import { authority } from '../support/certificates.js'
import { USERS, home, sharedSettings, startGateway, startUpstream } from '../support/gateway-process.js'

const EVIL = 'https://evil.example'
const credentials = { username: 'ada', password: USERS.ada, cookies: true }

t.test('a page that was loaded over http can not use the cookies of a TLS listener', async (t) => {
  const directory = await home(t)
  const ca = authority('the test')
  const { cert, key } = ca.issue('127.0.0.1')
  const tls = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  await writeFile(tls.cert, cert)
  await writeFile(tls.key, key)
  const upstream = await startUpstream(t)
  const routes = [{ path: '/', upstream: upstream.url }]
  const { url } = await startGateway(t, { listen: { host: '127.0.0.1', port: 0, tls }, routes }, directory)
  const dispatcher = new Agent({ connect: { ca: ca.cert } })
  t.teardown(() => dispatcher.close())
  const http = url.replace('https:', 'http:')
  const post = async (path: string, origin: string, cookie = '') => {
    const headers = { origin, cookie, 'content-type': 'application/json' }
    const body = path === '/auth/login' ? JSON.stringify(credentials) : '{}'
    const response = await request(`${url}${path}`, { method: 'POST', headers, body, dispatcher })
    await response.body.text()
    return { status: response.statusCode, cookies: [response.headers['set-cookie'] ?? []].flat() }
  }
  t.equal((await post('/auth/login', http)).status, 403, 'login')
  const { status, cookies } = await post('/auth/login', url)
  t.equal(status, 200)
  const cookie = cookies.map((line) => line.split(';', 1)[0]).join('; ')
  for (const path of ['/anything', '/auth/refresh', '/auth/logout'])
    t.equal((await post(path, http, cookie)).status, 403, path)
  t.equal(upstream.seen.length, 0)
  t.equal((await post('/anything', url, cookie)).status, 200)
})

t.test('over HTTP/2, :authority is the host', async (t) => {
  const app = fastify({ http2: true }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    cookies: { secure: false },
    login: ({ username }) => ({ sub: username }),
  })
  app.post('/guarded', { onRequest: app.authenticate }, async (incoming) => incoming.auth!.sub)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const own = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const session = connect(own)
  t.teardown(() => session.close())
  const post = async (path: string, body: object, headers: Record<string, string>) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/json',
      ...headers,
    })
    let answered: Record<string, unknown> = {}
    stream.on('response', (received) => (answered = received))
    stream.end(JSON.stringify(body))
    return {
      body: await text(stream),
      status: answered[':status'],
      cookies: (answered['set-cookie'] ?? []) as string[],
    }
  }
  t.match(await post('/auth/login', credentials, { origin: EVIL }), { status: 403 })
  const { status, cookies } = await post('/auth/login', credentials, { origin: own })
  t.equal(status, 200)
  const cookie = cookies.map((line) => line.split(';', 1)[0]).join('; ')
  t.match(await post('/guarded', {}, { cookie, origin: own }), { status: 200, body: 'ada' })
  t.match(await post('/guarded', {}, { cookie, origin: EVIL }), { status: 403 })
  t.match(await post('/guarded', {}, { cookie }), { status: 403 })
  t.match(await post('/auth/refresh', {}, { cookie, origin: own }), { status: 200 })
})

t.test('a handshake by cookie from another site passes no guard of the plugin', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, {
    ...sharedSettings(await home(t)),
    login: ({ username }) => ({ sub: username }),
  })
  const { authenticate, authorize } = app
  app.get('/live', { onRequest: authenticate }, async () => 'open')
  app.get('/scoped', { onRequest: authorize({ anyScope: ['a', 'b'] }) }, async () => 'open')
  const own = { host: 'api.example', origin: 'https://api.example' }
  const login = await app.inject({ method: 'POST', url: '/auth/login', payload: credentials, headers: own })
  const cookies = Object.fromEntries(login.cookies.map(({ name, value }) => [name, value]))
  const open = async (url: string, headers: Record<string, string>) =>
    (await app.inject({ url, cookies, headers: { host: 'api.example', ...headers } })).statusCode
  const key = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }
  for (const handshake of [
    { upgrade: 'websocket', ...key },
    { upgrade: 'WebSocket' },
    { upgrade: 'foo, websocket' },
    key,
  ] as Record<string, string>[]) {
    for (const url of ['/live', '/scoped']) {
      t.equal(await open(url, { ...handshake, origin: EVIL }), 403, `${url} ${JSON.stringify(handshake)}`)
      t.equal(await open(url, handshake), 403, 'without an Origin')
    }
    t.equal(await open('/live', { ...handshake, ...own }), 200)
  }
  t.equal(await open('/live', { origin: EVIL }), 200, 'a plain GET changes nothing')
})
