/** `fetch` of the client against a real application. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { ClientError } from '../../web/client/client.js'
import { CREDENTIALS, SharedStorage, openClientServer } from '../support/client-server.js'
import { soon } from '../support/gateway-process.js'

async function signedIn(t: Test) {
  const server = await openClientServer(t)
  const storage = new SharedStorage()
  const reasons: string[] = []
  const client = server.client({ storage, onSignedOut: (code) => reasons.push(code) })
  await client.login(CREDENTIALS)
  return { server, storage, client, reasons }
}

t.test('a login, a request with the token, and a logout', async (t) => {
  const server = await openClientServer(t)
  const client = server.client()
  const changes: unknown[] = []
  const stop = client.onChange((session) => changes.push(session))
  t.equal(client.session(), undefined)
  t.equal((await client.fetch('/me')).status, 401, 'without a session there is no token')
  const session = await client.login(CREDENTIALS)
  t.equal(client.session(), session)
  t.ok(session.expiresAt > Date.now() / 1000)
  t.same(await (await client.fetch('/me')).json(), { sub: 'alice' })
  const token = await client.token()
  t.match(await client.sessions(), [{ sid: session.sid, current: true }])
  await client.logout()
  t.same(changes, [session, undefined])
  t.equal(await client.token(), undefined)
  const old = await fetch(`${server.url}/me`, { headers: { authorization: `Bearer ${token}` } })
  t.equal(old.status, 401, 'the server has ended the session')
  stop()
  await client.login(CREDENTIALS)
  t.equal(changes.length, 2, 'the listener was removed')
})

t.test('a failed login has the code of the server', async (t) => {
  const server = await openClientServer(t)
  const client = server.client()
  const failure = client.login({ username: 'nobody', password: 'p' })
  await t.rejects(failure, { name: 'ClientError', code: 'invalid_credentials', status: 401 })
  t.ok((await failure.catch((error: unknown) => error)) instanceof ClientError)
})

t.test('24 parallel requests with an expired token make one refresh', async (t) => {
  const { server, storage, client } = await signedIn(t)
  const before = await client.token()
  storage.age(900)
  const responses = await Promise.all(Array.from({ length: 24 }, () => client.fetch('/me')))
  t.same(
    responses.map(({ status }) => status),
    Array.from({ length: 24 }, () => 200),
  )
  t.equal(server.count('/auth/refresh'), 1)
  t.equal(server.count('/me'), 24, 'no request was sent with the old token')
  t.not(await client.token(), before)
})

t.test('24 parallel requests whose token is refused make one refresh, and are repeated once', async (t) => {
  const { server, client, reasons } = await signedIn(t)
  await server.revoke(await client.token())
  const responses = await Promise.all(Array.from({ length: 24 }, () => client.fetch('/me')))
  t.ok(responses.every(({ status }) => status === 200))
  t.equal(server.count('/auth/refresh'), 1)
  t.equal(server.count('/me'), 48)
  t.same(reasons, [])
})

t.test('a token is refreshed under a tenth of its life, not before', async (t) => {
  const { server, storage, client } = await signedIn(t)
  storage.age(900 * 0.85)
  t.equal((await client.fetch('/me')).status, 200)
  t.equal(server.count('/auth/refresh'), 0)
  storage.age(900 * 0.1)
  t.equal((await client.fetch('/me')).status, 200)
  t.equal(server.count('/auth/refresh'), 1)
})

for (const [status, code] of [
  [503, 'store_unavailable'],
  [429, 'rate_limited'],
] as const) {
  t.test(`${status} to a refresh keeps the session`, async (t) => {
    const { server, storage, client, reasons } = await signedIn(t)
    server.refuse('/auth/refresh', status, code, { 'retry-after': '7' })
    storage.age(900 * 0.95)
    t.equal((await client.fetch('/me')).status, 200, 'the old token is still good')
    const attempts = server.count('/auth/refresh')
    t.equal((await client.fetch('/me')).status, 200)
    t.equal(server.count('/auth/refresh'), attempts, 'the next attempt has time until the token expires')
    storage.age(900)
    const response = await client.fetch('/me')
    t.match(
      { status: response.status, body: await response.json(), wait: response.headers.get('retry-after') },
      { status, body: { code }, wait: '7' },
      'the refusal of the refresh is the response',
    )
    await t.rejects(client.token(), { code, status, retryAfter: 7 })
    t.ok(client.session())
    server.hooks.clear()
    t.equal((await client.fetch('/me')).status, 200)
    t.same(reasons, [])
  })

  t.test(`${status} to a request keeps the session, without a refresh`, async (t) => {
    const { server, client, reasons } = await signedIn(t)
    server.refuse('/me', status, code)
    t.equal((await client.fetch('/me')).status, status)
    t.equal(server.count('/me'), 1)
    t.equal(server.count('/auth/refresh'), 0)
    t.ok(client.session())
    t.same(reasons, [])
  })
}

t.test('a lost response to a refresh is repeated, and network errors keep the session', async (t) => {
  const server = await openClientServer(t)
  const storage = new SharedStorage()
  const reasons: string[] = []
  let failures = 0
  const client = server.client({
    storage,
    onSignedOut: (code) => reasons.push(code),
    async fetch(input, init) {
      const response = await fetch(input, init)
      if (!String(input).endsWith('/refresh') || failures === 0) return response
      failures -= 1
      await response.text()
      throw new TypeError('connection lost')
    },
  })
  await client.login(CREDENTIALS)
  storage.age(900)
  failures = 1
  t.equal((await client.fetch('/me')).status, 200)
  t.equal(server.count('/auth/refresh'), 2, 'the second got the same successor')
  storage.age(900)
  failures = 2
  await t.rejects(client.fetch('/me'), { message: 'connection lost' })
  t.ok(client.session())
  t.equal((await client.fetch('/me')).status, 200)
  t.same(reasons, [])
})

t.test('a definitive 401 signs out, once', async (t) => {
  const { server, storage, client, reasons } = await signedIn(t)
  await server.app.portcullis.sessions.endAll('alice')
  const responses = await Promise.all(Array.from({ length: 8 }, () => client.fetch('/me')))
  t.ok(responses.every(({ status }) => status === 401))
  t.equal(((await responses[0]!.json()) as { code: string }).code, 'session_ended', 'the body can be read')
  t.equal(server.count('/auth/refresh'), 0, 'a refresh could not help')
  t.equal(client.session(), undefined)
  t.equal(storage.values.size, 0)
  t.same(reasons, ['session_ended'])
})

t.test('a definitive 401 to a refresh signs out, once', async (t) => {
  const { server, storage, client, reasons } = await signedIn(t)
  await server.app.portcullis.sessions.endAll('alice')
  storage.age(900)
  const responses = await Promise.all(Array.from({ length: 8 }, () => client.fetch('/me')))
  t.ok(responses.every(({ status }) => status === 401))
  t.equal(server.count('/auth/refresh'), 1)
  t.same(reasons, ['session_ended'])
  t.equal(await client.token(), undefined)
})

t.test('a 401 of another origin of a redirect, or without a reason, signs nobody out', async (t) => {
  const { server, client, reasons } = await signedIn(t)
  server.hooks.set('/me', (reply) => reply.code(401).type('text/html').send('Unauthorized'))
  const response = await client.fetch('/me')
  t.equal(await response.text(), 'Unauthorized')
  t.equal(server.count('/auth/refresh'), 1, 'one attempt')
  t.equal(server.count('/me'), 2)
  server.hooks.clear()
  const other = await openClientServer(t)
  other.refuse('/elsewhere', 401, 'session_ended')
  server.hooks.set('/me', (reply) => reply.redirect(`${other.url}/elsewhere`))
  t.equal((await client.fetch('/me')).status, 401)
  t.ok(client.session())
  t.same(reasons, [])
})

t.test('bodies are sent again', async (t) => {
  const { server, client } = await signedIn(t)
  const form = new FormData()
  form.set('a', 'b')
  const bodies: Record<string, [() => Parameters<typeof fetch>, RegExp]> = {
    string: [() => ['/echo', { method: 'POST', body: 'text' }], /^text$/],
    FormData: [() => ['/echo', { method: 'POST', body: form }], /name="a"\r\n\r\nb\r\n/],
    Blob: [() => ['/echo', { method: 'POST', body: new Blob(['blob']) }], /^blob$/],
    URLSearchParams: [() => ['/echo', { method: 'POST', body: new URLSearchParams({ a: 'b' }) }], /^a=b$/],
    bytes: [() => ['/echo', { method: 'POST', body: new TextEncoder().encode('bytes') }], /^bytes$/],
    Request: [() => [new Request(`${server.url}/echo`, { method: 'POST', body: 'of a request' })], /^of a r/],
    'Request with a form': [
      () => [new Request(`${server.url}/echo`, { method: 'POST', body: form })],
      /name="a"\r\n\r\nb\r\n/,
    ],
  }
  for (const [name, [build, expected]] of Object.entries(bodies)) {
    const before = server.count('/echo')
    await server.revoke(await client.token())
    const response = await client.fetch(...build())
    t.equal(response.status, 200, name)
    t.match(((await response.json()) as { body: string }).body, expected, name)
    t.equal(server.count('/echo'), before + 2, name)
  }
})

t.test('a used stream is not sent again, and the error says so', async (t) => {
  const { server, client, reasons } = await signedIn(t)
  const send = () =>
    client.fetch('/echo', {
      method: 'POST',
      body: new Blob(['stream']).stream(),
      duplex: 'half',
    } as RequestInit)
  t.match(await (await send()).json(), { body: 'stream' })
  await server.revoke(await client.token())
  await t.rejects(send(), { name: 'ClientError', code: 'body_not_replayable', message: /stream/ })
  t.match(await (await send()).json(), { body: 'stream' }, 'the token is new')
  t.equal(server.count('/echo'), 3)
  t.same(reasons, [])
})

t.test('other origins get no token, and neither do redirects to them', async (t) => {
  const { server, client } = await signedIn(t)
  const seen: (string | undefined)[] = []
  const other = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.end('ok')
  })
  await once(other.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  await client.fetch(`http://127.0.0.1:${port}/`)
  await client.fetch(new URL(`http://127.0.0.1:${port}/`))
  await client.fetch(new Request(`http://127.0.0.1:${port}/`))
  server.hooks.set('/me', (reply) => reply.redirect(`http://127.0.0.1:${port}/`))
  t.equal(await (await client.fetch('/me')).text(), 'ok')
  t.same(seen, [undefined, undefined, undefined, undefined])
})

t.test('Authorization of the caller is left alone', async (t) => {
  const { server, client } = await signedIn(t)
  const response = await client.fetch('/me', { headers: { authorization: 'Bearer x' } })
  t.equal(response.status, 401)
  t.equal(server.count('/auth/refresh'), 0)
  t.ok(client.session())
})

t.test('an abort ends the request, but neither the refresh of others nor the session', async (t) => {
  const { server, storage, client, reasons } = await signedIn(t)
  t.equal(
    (await client.fetch('/me', { signal: AbortSignal.abort() }).catch((error) => error)).name,
    'AbortError',
  )
  storage.age(900)
  const controller = new AbortController()
  const reason = new Error('changed my mind')
  let release = () => {}
  server.hooks.set('/auth/refresh', () => {
    controller.abort(reason)
    return new Promise<void>((resolve) => (release = resolve))
  })
  const other = client.fetch('/me')
  await t.rejects(client.fetch('/me', { signal: controller.signal }), reason)
  release()
  t.equal((await other).status, 200)
  t.equal(server.count('/auth/refresh'), 1)
  t.same(reasons, [])
})

t.test('a response is a stream, and reaches the caller before its end', async (t) => {
  const { server, client } = await signedIn(t)
  server.hooks.set('/me', (reply) => {
    reply.hijack()
    reply.raw.writeHead(200).write('first')
  })
  const response = await client.fetch('/me')
  const reader = response.body!.getReader()
  t.equal(new TextDecoder().decode((await reader.read()).value), 'first')
  await reader.cancel()
})

for (const scheme of ['dual', 'single'] as const) {
  t.test(`sliding renewal in the ${scheme} scheme: the token of a response is kept`, async (t) => {
    const server = await openClientServer(t, { tokens: { scheme, access: '10s', renewUnder: '9s' } })
    const client = server.client()
    await client.login(CREDENTIALS)
    const before = await client.token()
    const isRenewed = async () => {
      t.equal((await client.fetch('/me')).status, 200)
      return (await client.token()) !== before
    }
    await soon('the token is renewed', isRenewed, 20_000)
    t.equal((await client.fetch('/me')).status, 200)
    t.equal(server.count('/auth/refresh') + server.count('/auth/renew'), 0)
  })
}

t.test('a renewed token of a request with an earlier token is ignored', async (t) => {
  const { server, storage, client } = await signedIn(t)
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  const arrived = new Promise<void>((resolve) => {
    server.hooks.set('/me', async (reply) => {
      resolve()
      void reply.headers({ 'x-renewed-access-token': 'outdated', 'x-renewed-expires-in': '900' })
      await held
    })
  })
  const request = client.fetch('/me')
  await arrived
  server.hooks.clear()
  storage.age(900)
  const token = await client.token()
  release()
  t.equal((await request).status, 200)
  t.equal(await client.token(), token)
})

t.test('a logout that fails keeps the session, and can be repeated', async (t) => {
  const { server, client, reasons } = await signedIn(t)
  server.refuse('/auth/logout', 503, 'store_unavailable', { 'retry-after': '1' })
  await t.rejects(client.logout(), { code: 'store_unavailable', retryAfter: 1 })
  t.ok(client.session())
  server.hooks.clear()
  await client.logout()
  t.equal(client.session(), undefined)
  t.same(reasons, [], 'the user has logged out')
})

t.test('logout of all sessions, and of all others', async (t) => {
  const { server, client, storage } = await signedIn(t)
  const [second, third] = [server.client(), server.client()]
  await second.login(CREDENTIALS)
  storage.age(900)
  await client.logout({ all: true, keepCurrent: true })
  t.equal((await client.fetch('/me')).status, 200)
  t.equal((await second.fetch('/me')).status, 401)
  t.equal(second.session(), undefined)
  await third.login(CREDENTIALS)
  await client.logout({ all: true })
  t.equal(client.session(), undefined)
  t.equal((await third.fetch('/me')).status, 401)
})

t.test('the single scheme', async (t) => {
  const server = await openClientServer(t, { tokens: { scheme: 'single' } })
  const storage = new SharedStorage()
  const client = server.client({ storage })
  await client.login(CREDENTIALS)
  const before = await client.token()
  storage.age(890)
  t.equal((await client.fetch('/me')).status, 200)
  t.equal(server.count('/auth/renew'), 1)
  t.equal(server.count('/auth/refresh'), 0)
  t.not(await client.token(), before)
  await client.logout()
  t.equal(client.session(), undefined)
})

t.test('a client outside of a page needs a baseUrl', async (t) => {
  const { createClient } = await import('../../web/client/client.js')
  t.throws(() => createClient(), { message: /baseUrl/ })
  t.throws(() => createClient({ baseUrl: 'http://localhost', storage: 'local' }), { message: /localStorage/ })
  // @ts-expect-error: only JavaScript can pass another text.
  t.throws(() => createClient({ baseUrl: 'http://localhost', storage: 'Cookie' }), { message: /^storage/ })
})
