import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import type { Test } from 'tap'
import { call, isRefused, logIn, logInByCookies, soon, startGateway } from '../support/gateway-process.js'

type Behaviour = (response: ServerResponse, request: IncomingMessage) => void

/** A legacy application behind routes that end sessions; what it answers is the test's choice. */
async function legacy(t: Test, overrides: object = {}) {
  const rig = { url: '', behave: ((response) => response.end('done')) as Behaviour, calls: 0 }
  const server = createServer((request, response) => {
    rig.calls += 1
    rig.behave(response, request)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const upstream = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const routes = [
    { path: '/password', methods: ['POST'], upstream, onSuccess: 'end-other-sessions' },
    { path: '/sign-out', upstream, onSuccess: 'end-session' },
    { path: '/delete-me', upstream, onSuccess: 'end-all-sessions' },
    { path: '/maybe', upstream, auth: 'optional', onSuccess: 'end-all-sessions' },
    { path: '/', upstream },
  ]
  const { url } = await startGateway(t, { routes, cookies: { secure: false }, ...overrides })
  return Object.assign(rig, { url })
}

/** Which of the tokens is still good. */
async function alive(url: string, tokens: Record<string, string>): Promise<string[]> {
  const names: string[] = []
  for (const [name, token] of Object.entries(tokens)) {
    const { status, body } = await call(url, 'GET', '/auth/me', { token })
    if (status === 200) names.push(name)
    else if (body?.code !== 'session_ended') names.push(`${name}: ${status}`)
  }
  return names
}

async function sessions(url: string) {
  const [own, other, third] = [await logIn(url), await logIn(url), await logIn(url)]
  const bob = await logIn(url, 'bob')
  const tokens = {
    own: own.access_token,
    other: other.access_token,
    third: third.access_token,
    bob: bob.access_token,
  }
  return { tokens, refreshTokens: { own: own.refresh_token, other: other.refresh_token } }
}

t.test('a 2xx to a password change ends the user’s other sessions only', async (t) => {
  for (const status of [200, 201, 204]) {
    const rig = await legacy(t)
    const { url } = rig
    rig.behave = (response) => response.writeHead(status, { 'x-legacy': 'kept', 'set-cookie': 'a=b' }).end()
    const { tokens, refreshTokens } = await sessions(url)
    const answer = await call(url, 'POST', '/password', { token: tokens.own })
    t.match(answer, { status, headers: { 'x-legacy': 'kept' }, setCookie: ['a=b'] })
    t.strictSame(await alive(url, tokens), ['own', 'bob'])
    const refresh = (refresh_token: string) => call(url, 'POST', '/auth/refresh', { json: { refresh_token } })
    isRefused(t, await refresh(refreshTokens.other), 401, 'session_ended')
    t.equal((await refresh(refreshTokens.own)).status, 200)
  }
})

t.test('end-session ends the current session, end-all-sessions all of the subject', async (t) => {
  const { url } = await legacy(t)
  const { tokens } = await sessions(url)
  t.match(await call(url, 'GET', '/sign-out', { token: tokens.third }), { status: 200, text: 'done' })
  t.strictSame(await alive(url, tokens), ['own', 'other', 'bob'])
  t.match(await call(url, 'DELETE', '/delete-me', { token: tokens.own }), { status: 200, text: 'done' })
  t.strictSame(await alive(url, tokens), ['bob'])
  t.ok(await logIn(url), 'a new login works')
})

t.test('anything but a 2xx ends nothing', async (t) => {
  const rig = await legacy(t)
  const { url } = rig
  const { tokens } = await sessions(url)
  for (const status of [302, 304, 400, 401, 403, 404, 409, 500, 503]) {
    rig.behave = (response) => response.writeHead(status).end()
    for (const path of ['/password', '/delete-me', '/sign-out'])
      t.equal((await call(url, 'POST', path, { token: tokens.own })).status, status)
  }
  rig.behave = (response) => response.socket!.destroy()
  isRefused(t, await call(url, 'POST', '/delete-me', { token: tokens.own }), 502, 'upstream_unavailable')
  rig.behave = (response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeHead(400).end()
  }
  t.equal((await call(url, 'POST', '/delete-me', { token: tokens.own })).status, 400, 'after a 103')
  t.strictSame(await alive(url, tokens), ['own', 'other', 'third', 'bob'])
})

t.test('a refused or anonymous request ends nothing', async (t) => {
  const { url, ...rig } = await legacy(t)
  const { tokens } = await sessions(url)
  isRefused(t, await call(url, 'POST', '/password'), 401, 'credentials_missing')
  isRefused(t, await call(url, 'POST', '/maybe', { token: 'nonsense' }), 401, 'token_malformed')
  t.equal(rig.calls, 0)
  t.equal((await call(url, 'POST', '/maybe')).status, 200, 'anonymous')
  t.strictSame(await alive(url, tokens), ['own', 'other', 'third', 'bob'])
})

t.test('a browser’s cookies are cleared with its own session, beside the upstream’s cookies', async (t) => {
  const rig = await legacy(t)
  const { url } = rig
  rig.behave = (response) => response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end()
  const headers = { origin: url }
  const changed = await call(url, 'POST', '/password', { cookies: await logInByCookies(url), headers })
  t.strictSame(changed.setCookie, ['a=1', 'b=2'], 'not where it goes on')
  for (const path of ['/sign-out', '/delete-me']) {
    const { status, setCookie } = await call(url, 'POST', path, {
      cookies: await logInByCookies(url),
      headers,
    })
    t.equal(status, 200)
    t.match(setCookie.toSorted(), [/^a=1$/, /^access=; Max-Age=0/, /^b=2$/, /^refresh=; Max-Age=0/], path)
  }
  const { access_token: token } = await logIn(url)
  t.strictSame((await call(url, 'POST', '/sign-out', { token })).setCookie, ['a=1', 'b=2'], 'by header')
})

t.test('the response arrives complete although its session ends before its second half', async (t) => {
  const rig = await legacy(t)
  const { url } = rig
  let response!: ServerResponse
  rig.behave = (it) => (response = it).writeHead(200).write('first ')
  for (const path of ['/sign-out', '/delete-me']) {
    const { access_token: token } = await logIn(url)
    const asked = get(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    isRefused(t, await call(url, 'GET', '/auth/me', { token }), 401, 'session_ended', 'at its head')
    // Longer than any stream of an ended session is left.
    await new Promise((resolve) => setTimeout(resolve, 300))
    response.end('second')
    t.equal(await text(answer), 'first second', path)
  }
})

t.test('a connection of another session is cut, and those of the own session continue', async (t) => {
  const rig = await legacy(t)
  const { url } = rig
  const streams: ServerResponse[] = []
  rig.behave = (response, { url: target }) => {
    if (target !== '/events') return void response.end('done')
    streams.push(response.writeHead(200, { 'content-type': 'text/event-stream' }))
    response.write('data: 1\n\n')
  }
  const { tokens } = await sessions(url)
  const open = async (token: string) => {
    const asked = get(`${url}/events`, { headers: { authorization: `Bearer ${token}` } })
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    const stream = { text: '', isCut: false, close: () => asked.destroy() }
    answer.setEncoding('utf8').on('data', (piece: string) => (stream.text += piece))
    for (const it of [asked, answer]) it.on('error', () => (stream.isCut = true))
    await soon('it has begun', () => stream.text !== '')
    return stream
  }
  const [own, other, bob] = [await open(tokens.own), await open(tokens.other), await open(tokens.bob)]
  t.equal((await call(url, 'POST', '/password', { token: tokens.own })).status, 200)
  await soon('the other session’s was cut', () => other.isCut)
  for (const stream of streams) stream.write('data: 2\n\n')
  for (const stream of [own, bob]) {
    await soon('it goes on', () => stream.text.includes('data: 2'))
    t.notOk(stream.isCut)
    stream.close()
  }
  t.notMatch(other.text, 'data: 2')
})
