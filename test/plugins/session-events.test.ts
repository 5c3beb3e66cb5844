/** The event stream of a subject's sessions, in the plugin and in the gateway. */
import t from 'tap'
import type { Test } from 'tap'
import fastify from 'fastify'
import { request } from 'undici'
import portcullis from '../../src/index.js'
import { call, expired, home, logIn, soon, startGateway } from '../support/gateway-process.js'

interface SessionEvent {
  readonly event: string
  readonly data: Record<string, unknown>
}

/** Opens the stream; `events` grows, and `isOver` becomes true when the server has ended it. */
async function openStream(t: Test, base: string, token: string, headers: Record<string, string> = {}) {
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const response = await request(`${base}/auth/session/events`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: abort.signal,
  })
  const stream = { response, events: [] as SessionEvent[], isOver: false, abort: () => abort.abort() }
  const read = async () => {
    let text = ''
    for await (const chunk of response.body) {
      text += String(chunk)
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
        if (event !== undefined)
          stream.events.push({ event, data: JSON.parse(data!) as SessionEvent['data'] })
      }
    }
    stream.isOver = true
  }
  read().catch(() => {})
  return stream
}

const agent = { 'user-agent': 'Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/128.0' }

t.test('a stream tells of the subject’s sessions, and of no others', async (t) => {
  const { url } = await startGateway(t)
  const own = await logIn(url)
  const { response, events } = await openStream(t, url, own.access_token)
  t.match(response.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  await logIn(url, 'bob')
  const other = await logIn(url)
  await call(url, 'DELETE', `/auth/sessions/${other.session_id}`, { token: own.access_token, headers: agent })
  await soon('both events came', () => events.length === 2)
  t.match(events, [
    { event: 'session_started', data: { sid: other.session_id } },
    {
      event: 'session_ended',
      data: {
        sid: other.session_id,
        reason: 'logout',
        by: { sid: own.session_id, device: 'Firefox on Windows', at: Number },
      },
    },
  ])
})

t.test('the last event says why the stream’s own session ended, and from which device', async (t) => {
  const { url } = await startGateway(t)
  const [own, other] = [await logIn(url), await logIn(url)]
  const stream = await openStream(t, url, own.access_token, { 'accept-language': 'zh' })
  await call(url, 'DELETE', `/auth/sessions/${own.session_id}`, { token: other.access_token, headers: agent })
  const begin = performance.now()
  await soon('the stream is over', () => stream.isOver)
  t.ok(performance.now() - begin < 1000)
  t.match(stream.events, [
    {
      event: 'session_ended',
      data: {
        sid: own.session_id,
        reason: 'logout',
        by: { sid: other.session_id, device: 'Windows 上的 Firefox' },
      },
    },
  ])
})

t.test('each way to end a session has its reason', async (t) => {
  const token = 'x'.repeat(32)
  const admin = { host: '127.0.0.1', port: 0, token }
  const { url, adminUrl } = await startGateway(t, { sessions: { perSubject: 3 }, admin })
  const endings: [
    reason: string,
    by: unknown,
    end: (own: { access_token: string; refresh_token: string }) => Promise<unknown>,
  ][] = [
    [
      'logout',
      { device: 'Firefox on Windows' },
      ({ access_token }) => call(url, 'POST', '/auth/logout', { token: access_token, headers: agent }),
    ],
    [
      'logout',
      { device: 'Firefox on Windows' },
      async () =>
        call(url, 'POST', '/auth/logout', {
          token: (await logIn(url)).access_token,
          json: { all: true },
          headers: agent,
        }),
    ],
    [
      'reuse',
      null,
      async ({ refresh_token }) => {
        const refresh = (presented: string) =>
          call(url, 'POST', '/auth/refresh', { json: { refresh_token: presented } })
        const { body } = await refresh(refresh_token)
        await refresh((body as { refresh_token: string }).refresh_token)
        await refresh(refresh_token)
      },
    ],
    [
      'evicted',
      null,
      async () => {
        for (let i = 0; i < 3; i += 1) await logIn(url)
      },
    ],
    [
      'revoked',
      null,
      async () => call(adminUrl!, 'POST', '/api/revocations', { token, json: { sub: 'ada' } }),
    ],
  ]
  for (const [reason, by, end] of endings) {
    const own = await logIn(url)
    const stream = await openStream(t, url, own.access_token)
    await end(own)
    await soon(`${reason}: the stream is over`, () => stream.isOver)
    t.match(stream.events.at(-1), { event: 'session_ended', data: { sid: own.session_id, reason, by } })
  }
})

t.test('a stream needs a good token, and says when it ends because of the expiry', async (t) => {
  const directory = await home(t)
  const { url } = await startGateway(t, { tokens: { access: '1s' } }, directory)
  const { access_token } = await logIn(url)
  const stream = await openStream(t, url, access_token)
  await soon('the stream is over', () => stream.isOver)
  t.same(stream.events, [{ event: 'token_expired', data: {} }])
  t.equal((await call(url, 'GET', '/auth/session/events')).status, 401)
  const old = await expired(directory, access_token)
  t.equal((await call(url, 'GET', '/auth/session/events', { token: old })).status, 401)
})

t.test('a session has at most 20 streams, and a closed one makes room', async (t) => {
  const { url } = await startGateway(t)
  const { access_token: token } = await logIn(url)
  const streams = []
  for (let i = 0; i < 20; i += 1) streams.push(await openStream(t, url, token))
  t.equal((await call(url, 'GET', '/auth/session/events', { token })).status, 429)
  streams[0]!.abort()
  const opened = await soon('there is room', async () => {
    const next = await openStream(t, url, token)
    if (next.response.statusCode === 200) return next
    return undefined
  })
  t.equal(opened.response.statusCode, 200)
})

t.test('open streams don’t delay a stop', async (t) => {
  const server = await startGateway(t)
  const stream = await openStream(t, server.url, (await logIn(server.url)).access_token)
  const begin = performance.now()
  await server.close()
  t.ok(performance.now() - begin < 4000, 'less than timeouts.shutdown')
  await soon('the stream is over', () => stream.isOver)
})

t.test('open streams don’t keep an application from closing', async (t) => {
  const app = fastify()
  const issuer = 'https://portcullis.test'
  await app.register(portcullis, { store: 'memory', issuer, audience: issuer })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const { access_token } = await app.portcullis.issue({ sub: 'ada' })
  const stream = await openStream(t, url, access_token!)
  await app.close()
  await soon('the stream is over', () => stream.isOver)
  t.same(stream.events, [])
})
