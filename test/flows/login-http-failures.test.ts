/** A legacy API that hangs, breaks off, floods, leads elsewhere or talks nonsense. */
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { call, isRefused, serveGateway, soon } from '../support/gateway-process.js'
import type { Answer } from '../support/gateway-process.js'
import { answers, gatewayFor, mapping, startLegacyApi } from '../support/legacy-login-api.js'
import type { Behaviour } from '../support/legacy-login-api.js'

const PASSWORD = 'gate-keeper-1843'
const json = { username: 'ada', password: PASSWORD }
const good = { data: { user: { id: 'u1' } } }

t.test('an unclear response is 502 and not a failed attempt', async (t) => {
  const api = await startLegacyApi(t, answers(200))
  const { url } = await gatewayFor(t, api, {}, { rateLimit: { login: { perAccount: { failures: 1 } } } })
  const half: Behaviour = (response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('{"data":{"user":{"id":"u1"}}}')
    setImmediate(() => response.destroy())
  }
  const halfChunked: Behaviour = (response) => {
    response.write('{"data":{"user":{"id":"u1"}}}')
    setImmediate(() => response.destroy())
  }
  const behaviours: Record<string, Behaviour> = {
    'a failure of its own': answers(500, good),
    another: answers(503, good, { 'retry-after': '5' }),
    'a status that says nothing of passwords': answers(405, good),
    'another such': answers(415, good),
    nothing: answers(200),
    'no content': answers(204),
    'no JSON': answers(200, 'welcome'),
    'half a JSON': answers(200, '{"data":{"user":{"id":"u1"}'),
    null: answers(200, 'null'),
    'compressed, unasked': (response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(JSON.stringify(good)))
    },
    'a subject that is none': answers(200, { data: { user: { id: {} } } }),
    'a subject too long': answers(200, { data: { user: { id: 'x'.repeat(257) } } }),
    'a subject that was rounded': answers(200, '{"data":{"user":{"id":9007199254740993}}}'),
    'claims that no token holds': answers(200, { data: { user: { id: 'u1', role: 'x'.repeat(5_000) } } }),
    'more than is read': answers(200, { data: { user: { id: 'u1' } }, more: 'x'.repeat(70_000) }),
    'half an answer': half,
    'half an answer in chunks': halfChunked,
    'no HTTP': (response) => void response.socket!.end('220 smtp.example ESMTP\r\n'),
    'nothing but an end': (response) => void response.socket!.destroy(),
  }
  for (const [what, behave] of Object.entries(behaviours)) {
    api.behave = behave
    const calls = api.calls.length
    isRefused(t, await call(url, 'POST', '/auth/login', { json }), 502, 'upstream_unavailable', what)
    t.equal(api.calls.length, calls + 1, `${what}: asked once, and not again`)
  }
  api.behave = answers(200, good)
  t.equal((await call(url, 'POST', '/auth/login', { json })).status, 200, 'and nothing was counted')
  api.stop()
  isRefused(t, await call(url, 'POST', '/auth/login', { json }), 502, 'upstream_unavailable', 'not there')
})

t.test('a redirect isn’t followed, so the password goes nowhere else', async (t) => {
  const elsewhere = await startLegacyApi(t, answers(200, good))
  const api = await startLegacyApi(t, answers(200))
  const { url } = await gatewayFor(t, api)
  for (const status of [301, 302, 303, 307, 308]) {
    api.behave = answers(status, good, { location: elsewhere.url })
    isRefused(
      t,
      await call(url, 'POST', '/auth/login', { json }),
      502,
      'upstream_unavailable',
      String(status),
    )
  }
  t.equal(api.calls.length, 5)
  t.strictSame(elsewhere.calls, [])
})

t.test('an endless response is abandoned after 64 KiB', async (t) => {
  let written = 0
  let left: ServerResponse | undefined
  const flood: Behaviour = (response) => {
    response.once('close', () => (left = response))
    response.writeHead(200, { 'content-type': 'application/json' })
    const piece = Buffer.alloc(65_536, ' ')
    const more = () => {
      while (!response.destroyed && written < 1 << 30) {
        written += piece.length
        if (!response.write(piece)) return void response.once('drain', more)
      }
      if (!response.destroyed) response.end(JSON.stringify(good))
    }
    more()
  }
  const api = await startLegacyApi(t, flood)
  const { url } = await gatewayFor(t, api, { timeout: '60s' })
  const before = process.memoryUsage().arrayBuffers
  isRefused(t, await call(url, 'POST', '/auth/login', { json }), 502, 'upstream_unavailable')
  await soon('its connection was closed', () => left)
  t.ok(written < 64 << 20, `${written} bytes were written of the 1 GiB`)
  t.ok(process.memoryUsage().arrayBuffers - before < 64 << 20)
})

t.test('after a refusal the rest of the response is ignored', async (t) => {
  const endless: Behaviour = (response) => {
    response.writeHead(401)
    response.write('no')
  }
  const api = await startLegacyApi(t, endless)
  const { url } = await gatewayFor(t, api, { timeout: '60s' })
  const answer = await call(url, 'POST', '/auth/login', { json })
  isRefused(t, answer, 401, 'invalid_credentials')
})

t.test('a hanging login is 504 after login.http.timeout, at any stage', async (t) => {
  const closed: string[] = []
  const api = await startLegacyApi(t, answers(200))
  const { url } = await gatewayFor(t, api, { timeout: '400ms' })
  const behaviours: Record<string, Behaviour> = {
    'before its head': () => {},
    'after its head': (response) => {
      response.writeHead(200).flushHeaders()
    },
    'amid its answer': (response) => {
      response.writeHead(200)
      response.write('{"data":')
    },
    'drop by drop': (response) => {
      response.writeHead(200)
      const drops = setInterval(() => response.write(' '), 20)
      response.once('close', () => clearInterval(drops))
    },
  }
  for (const [what, behave] of Object.entries(behaviours)) {
    api.behave = (response, asked) => {
      response.once('close', () => closed.push(what))
      behave(response, asked)
    }
    const answer = await call(url, 'POST', '/auth/login', { json })
    isRefused(t, answer, 504, 'upstream_timeout', what)
    t.ok(answer.milliseconds >= 390, `${what}: after ${answer.milliseconds} ms`)
    await soon(`the connection was closed (${what})`, () => closed.includes(what))
  }
})

t.test('at most 32 concurrent logins and 100 waiting; more are refused', async (t) => {
  const waiting: ServerResponse[] = []
  const api = await startLegacyApi(t, (response) => void waiting.push(response))
  const { url } = await gatewayFor(t, api, { timeout: '60s' })
  const refused: Answer[] = []
  const asked = Array.from({ length: 140 }, async (_, i) => {
    const answer = await call(url, 'POST', '/auth/login', { json: { ...json, username: `user ${i}` } })
    if (answer.status !== 200) refused.push(answer)
    return answer.status
  })
  await soon('all that are too many were refused', () => refused.length === 8)
  for (const answer of refused) isRefused(t, answer, 503, 'overloaded')
  await soon('as many as may be are there', () => waiting.length === 32)
  api.behave = answers(200, good)
  for (const response of waiting) answers(200, good)(response, api.calls[0]!)
  const statuses = await Promise.all(asked)
  t.equal(statuses.filter((status) => status === 200).length, 132, 'the others come in turn')
})

t.test('the log has a code, and no name, password, address or response', async (t) => {
  const api = await startLegacyApi(t, answers(500, { secret: 'from-the-answer' }))
  const gateway = await serveGateway(t, {
    log: { level: 'trace', requests: true },
    login: { http: { url: `${api.url}?key=in-the-url`, ...mapping, timeout: '300ms' } },
  })
  const failing: [behave: Behaviour, reason: string][] = [
    [answers(200, 'from-the-answer'), 'not_json'],
    [() => {}, 'TimeoutError'],
  ]
  for (const [behave, reason] of failing) {
    api.behave = behave
    // One a second is told, as a sample.
    await soon(`${reason} was logged`, async () => {
      await call(gateway.url, 'POST', '/auth/login', { json })
      return gateway.records().some((one) => one['event'] === 'login_http_failed' && one['reason'] === reason)
    })
  }
  const output = gateway.output()
  for (const secret of [PASSWORD, 'from-the-answer', 'in-the-url', '/legacy/login', '"ada"'])
    t.notOk(output.includes(secret), secret)
})
