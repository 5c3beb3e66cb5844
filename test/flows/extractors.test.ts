import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import t from 'tap'
import {
  call,
  claimsOf,
  home,
  isRefused,
  logIn,
  serveGateway,
  soon,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

t.test('a token in the query is removed, and the rest of the query isn’t', async (t) => {
  const upstream = await startUpstream(t, { 'cache-control': 'public, max-age=600', vary: 'Accept' })
  const { url } = await startGateway(t, {
    accept: { from: ['header', 'query'] },
    routes: [
      { path: '/kept', upstream: upstream.url, forwardToken: true },
      { path: '/v1', upstream: upstream.url, rewritePrefix: '/v2' },
      { path: '/lax', upstream: upstream.url, targetAllow: ['semicolon'] },
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url },
    ],
  })
  const { access_token: token } = await logIn(url)
  const seenAt = async (target: string, options = {}) => {
    const answer = await call(url, 'GET', target, options)
    t.equal(answer.status, 200, target.replaceAll(token, 'T'))
    return { target: upstream.seen.at(-1)!.target, cache: answer.headers['cache-control'] }
  }
  const cache = 'private, no-store'
  t.strictSame(await seenAt(`/x?a=%2f&access_token=${token}&b=;`), { target: '/x?a=%2f&b=;', cache })
  t.strictSame(await seenAt(`/x?access_token=${token}`), { target: '/x', cache })
  t.strictSame(await seenAt(`/x?%61ccess_token=${token}`), { target: '/x', cache }, 'an escape in its name')
  t.strictSame(await seenAt(`/v1/x?access_token=${token}&a`), { target: '/v2/x?a', cache })
  t.strictSame(await seenAt(`/lax/x;v=1?access_token=${token}`), { target: '/lax/x;v=1', cache })
  const kept = `/kept?access_token=${token}`
  t.strictSame(await seenAt(kept), { target: kept, cache }, 'forwardToken')
  const stored = 'public, max-age=600'
  const open = '/open?access_token=whatever'
  t.strictSame(await seenAt(open), { target: open, cache: stored }, 'where no credentials are looked at')
  t.strictSame(await seenAt('/x?a', { token }), { target: '/x?a', cache: stored }, 'a token elsewhere')

  const before = upstream.seen.length
  const two = await call(url, 'GET', `/x?access_token=${token}`, { token })
  isRefused(t, two, 400, 'credentials_ambiguous')
  const laxly = await call(url, 'GET', `/lax/x;v=1?access_token=${token}`, { token })
  isRefused(t, laxly, 400, 'credentials_ambiguous', 'also in a target that only the route allows')
  isRefused(t, await call(url, 'GET', '/x?access_token=x'), 401, 'token_malformed')
  t.equal(upstream.seen.length, before)
})

t.test('forward-auth finds a token in the query of its own URL, in the gateway and the plugin', async (t) => {
  const { url } = await startGateway(t, { accept: { from: ['query'] } })
  const { access_token: token } = await logIn(url)
  const checked = await call(url, 'GET', `/auth/verify?access_token=${token}`)
  t.equal(checked.status, 200)
  t.equal(checked.headers['cache-control'], 'private, no-store')
  isRefused(t, await call(url, 'GET', '/auth/verify'), 401, 'credentials_missing')
})

t.test('X-Access-Token is removed where it was accepted, and passed on where it is not read', async (t) => {
  const upstream = await startUpstream(t)
  const routes = [
    { path: '/kept', upstream: upstream.url, forwardToken: true },
    { path: '/', upstream: upstream.url },
  ]
  const directory = await home(t)
  const { url } = await startGateway(t, { accept: { from: ['header', 'x-access-token'] }, routes }, directory)
  const { access_token: token } = await logIn(url)
  const headers = { 'X-Access-Token': token }
  const passedOn = async (base: string, path: string, options = {}) => {
    t.equal((await call(base, 'GET', path, options)).status, 200)
    return upstream.seen.at(-1)!.headers['x-access-token']
  }
  t.equal(await passedOn(url, '/', { headers }), undefined)
  t.equal(await passedOn(url, '/kept', { headers }), token)
  isRefused(t, await call(url, 'GET', '/', { headers, token }), 400, 'credentials_ambiguous')
  const other = await startGateway(t, { routes }, directory)
  const theirs = (await logIn(other.url)).access_token
  t.equal(await passedOn(other.url, '/', { headers, token: theirs }), undefined, 'where it isn’t enabled')
  t.equal(
    await passedOn(other.url, '/', { headers: { 'X-Access-Token': 'foreign' }, token: theirs }),
    'foreign',
  )
})

t.test('a token in the query appears in no log line, accepted or not', async (t) => {
  const upstream = await startUpstream(t)
  for (const from of [['header', 'query'], ['header']]) {
    const gateway = await serveGateway(t, {
      accept: { from },
      log: { level: 'trace', requests: true },
      routes: [{ path: '/', upstream: upstream.url, auth: 'optional', targetAllow: ['semicolon'] }],
    })
    const { access_token: token } = await logIn(gateway.url)
    const paths = [
      '/x?marker=1&',
      '/x;a?marker=2&',
      '/auth/me?marker=3&',
      '/auth/nothing?marker=4&',
      '/..%2f?marker=5&',
    ]
    for (const path of paths) await call(gateway.url, 'GET', `${path}access_token=${token}`)
    await call(gateway.url, 'GET', '/last')
    await soon('the requests were logged', () => gateway.records().some(({ path }) => path === '/last'))
    t.notMatch(gateway.output(), 'marker=', 'no query is logged')
    for (const part of token.split('.')) t.notOk(gateway.output().includes(part), `from ${from.join()}`)
  }
})

t.test('a WebSocket can be opened with a token in the query, which is removed, too', async (t) => {
  const server = createServer()
  const seen: IncomingMessage[] = []
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex) => {
    seen.push(incoming)
    const accept = createHash('sha1')
      .update(`${incoming.headers['sec-websocket-key']}${GUID}`)
      .digest('base64')
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    t.teardown(() => socket.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { url } = await startGateway(t, {
    accept: { from: ['header', 'query'] },
    identity: { token: { audience: 'legacy' } },
    routes: [{ path: '/', upstream }],
  })
  const { access_token: token } = await logIn(url)
  const open = async (path: string) => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
    }
    const asked = request(`${url}${path}`, { headers })
    const answer = new Promise<number>((resolve, reject) => {
      asked.once('upgrade', ({ statusCode }, socket) => {
        socket.destroy()
        resolve(statusCode!)
      })
      asked.once('response', (refused) => resolve(refused.resume().statusCode!))
      asked.once('error', reject)
    })
    asked.end()
    return answer
  }
  t.equal(await open('/live?room=1'), 401)
  t.equal(await open(`/live?room=1&access_token=${token}`), 101)
  t.equal(seen.length, 1)
  t.equal(seen[0]!.url, '/live?room=1')
  const proof = String(seen[0]!.headers['x-portcullis-identity'])
  t.match(claimsOf(proof), { aud: 'legacy', sub: 'ada' }, 'the identity is passed on all the same')
})
