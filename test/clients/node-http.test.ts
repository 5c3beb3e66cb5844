import type { IncomingMessage, RequestOptions } from 'node:http'
import http from 'node:http'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { SAME, comparable, startFront } from '../support/front.js'
import { sha256 } from '../support/legacy-app.js'
import type { Echo } from '../support/legacy-app.js'
import { FILE } from '../support/legacy-file.js'

const { app, gateway } = await startFront(t)
const { url } = gateway

interface Got {
  readonly response: IncomingMessage
  /** The client's end of the connection. */
  readonly port: number | undefined
  readonly body: Buffer
}

async function send(
  base: string,
  method: string,
  path: string,
  { body, ...options }: RequestOptions & { body?: string | Buffer | undefined } = {},
): Promise<Got> {
  const request = http.request(base, { method, path, ...options })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const port = response.socket.localPort
  return { response, port, body: await buffer(response) }
}

function view({ response, body }: Got) {
  const { statusCode, statusMessage, rawHeaders, rawTrailers } = response
  return { statusCode, statusMessage, headers: comparable(rawHeaders), rawTrailers, body: sha256(body) }
}

t.test('responses equal those without the gateway: head, body, trailers', async (t) => {
  for (const [method, path, headers = {}, body] of SAME) {
    const [direct, through] = [
      view(await send(app.url, method, path, { headers, body })),
      view(await send(url, method, path, { headers, body })),
    ]
    t.strictSame(through, direct, `${method} ${path} ${JSON.stringify(headers)}`)
  }
})

t.test('OPTIONS * matches no route, so the gateway answers it', async (t) => {
  t.equal((await send(app.url, 'OPTIONS', '*')).response.headers['x-target'], '*')
  const { response, body } = await send(url, 'OPTIONS', '*')
  t.equal(response.statusCode, 400)
  t.match(JSON.parse(String(body)), { code: 'target_refused' })
})

t.test('a redirect to the origin names the origin that was requested', async (t) => {
  const { response } = await send(url, 'GET', '/redirect/absolute')
  t.equal(response.headers.location, `${url}/echo?from=absolute`)
})

t.test('Set-Cookie headers that would set our cookies are removed, and no others', async (t) => {
  const { response } = await send(url, 'GET', '/our-cookies')
  t.strictSame(response.headers['set-cookie'], ['mine=1; Path=/'])
})

t.test('a kept connection is reused, by the client and by the gateway', async (t) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ports = new Set<number | undefined>()
  let [lastAt, pauses] = [performance.now(), 0]
  const sendKept = async (method: string, path: string, body?: Buffer) => {
    const { response, port } = await send(url, method, path, { agent, body })
    // Unused connections are closed after 4 s. A loaded machine may pause for as long.
    if (performance.now() - lastAt > 2_000) pauses += 1
    lastAt = performance.now()
    t.ok([200, 204, 404, 418].includes(response.statusCode!), `${method} ${path}`)
    ports.add(port)
  }
  // None of these may leave anything behind on either connection.
  const rounds = async () => {
    for (let n = 0; n < 5; n++) {
      for (const path of ['/file', '/no-content', '/chunked', '/nowhere', '/teapot'])
        await sendKept('GET', path)
      await sendKept('POST', '/echo', FILE)
    }
  }
  await sendKept('GET', '/page')
  const before = app.connections()
  await rounds()
  // A 204 ends the connection to the upstream.
  const ended = 5
  t.ok(app.connections() - before <= ended + pauses, 'by the gateway', { pauses })
  await sendKept('HEAD', '/file')
  await rounds()
  t.ok(ports.size <= 1 + pauses, 'by the client', { pauses })
})

t.test('a body with a length, and one without', async (t) => {
  const sized = JSON.parse(String((await send(url, 'PUT', '/echo', { body: FILE })).body)) as Echo
  t.match(sized, { length: FILE.length, sha256: sha256(FILE), framing: String(FILE.length) })

  const request = http.request(url, { method: 'POST', path: '/echo' })
  for (let at = 0; at < FILE.length; at += 20_000) {
    request.write(FILE.subarray(at, at + 20_000))
    await sleep(1)
  }
  request.end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const chunked = JSON.parse(String(await buffer(response))) as Echo
  t.match(chunked, { length: FILE.length, sha256: sha256(FILE), framing: 'chunked' })
})

t.test('Expect: 100-continue', async (t) => {
  const headers = { expect: '100-continue', 'content-length': FILE.length }
  const request = http.request(url, { method: 'PUT', path: '/echo', headers })
  request.flushHeaders()
  await once(request, 'continue')
  request.end(FILE)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  t.match(JSON.parse(String(await buffer(response))), { length: FILE.length, sha256: sha256(FILE) })
})

t.test('103 Early Hints come before the response', async (t) => {
  const hintsOf = async (base: string) => {
    const hints: unknown[] = []
    const request = http.get(`${base}/early-hints`)
    request.on('information', ({ statusCode, rawHeaders }) => hints.push([statusCode, rawHeaders]))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    t.equal(String(await buffer(response)), 'after the hints')
    return hints
  }
  const direct = await hintsOf(app.url)
  t.equal(direct.length, 1)
  t.strictSame(await hintsOf(url), direct)
})

t.test('a client that disconnects during the response: the upstream notices', async (t) => {
  const closed = new Promise<void>((resolve) => {
    app.server.once('request', (_request, response) => response.once('close', () => resolve()))
  })
  const request = http.get(`${url}/slow-end`)
  request.on('error', () => {})
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  await once(response, 'data')
  response.destroy()
  await closed
  t.pass('its answer is closed')
})

t.test('many requests at once each get their own response', async (t) => {
  const asked = Array.from({ length: 100 }, (_, n) => `/echo?n=${n}`)
  const answers = await Promise.all(asked.map((path) => send(url, 'GET', path)))
  t.strictSame(
    answers.map(({ body }) => (JSON.parse(String(body)) as Echo).target),
    asked,
  )
})
