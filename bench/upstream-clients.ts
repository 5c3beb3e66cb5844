/**
 * Measures the CPU time per proxied request with our HTTP client for upstreams and with undici's, in one process and in
 * turns. Only the client differs. Also measures what it costs to close a connection instead of keeping it.
 *
 *     npm run build && node dist/bench/upstream-clients.js
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Pool, request } from 'undici'
import type { Dispatcher } from 'undici'
import { forward } from '../src/gateway/forward.js'
import { headerRules } from '../src/gateway/header-rules.js'
import type { UpstreamRequest } from '../src/gateway/http1-client/request-head.js'
import { UpstreamError } from '../src/gateway/http1-client/upstream-error.js'
import type { ResponseHandler, UpstreamConnection } from '../src/gateway/http1-client/upstream-connection.js'
import type { UpstreamPool } from '../src/gateway/http1-client/upstream-pool.js'
import { createUpstreams } from '../src/gateway/upstreams.js'
import type { Upstream } from '../src/gateway/upstreams.js'
import { authority as createAuthority } from '../test/support/certificates.js'
import { spreadOf } from './statistics.js'

const ROUNDS = 7
const REQUESTS = 1500
const CONNECTIONS = 32
const rules = headerRules({ identity: ['X-Forwarded-User'], cookies: ['__Host-access'] })

/** undici's client behind the interface of our pool. */
class UndiciPool {
  readonly #pool: Pool

  constructor(origin: string) {
    this.#pool = new Pool(origin, { connections: 1024 })
  }

  dispatch({ method, target, headers, host }: UpstreamRequest, handler: ResponseHandler): void {
    let controller: Dispatcher.DispatchController
    const source = {
      pause: () => controller.pause(),
      resume: () => controller.resume(),
      abort: () => controller.abort(new Error('aborted')),
    }
    this.#pool.dispatch(
      { method: method as 'GET', path: target, headers: ['host', host, ...headers] },
      {
        onRequestStart(started) {
          controller = started
          handler.onSend(source as unknown as UpstreamConnection)
        },
        onResponseStart({ rawHeaders }, status, _headers, reason = '') {
          const text = (rawHeaders as Buffer[]).map((field) => field.toString('latin1'))
          const length = text.findIndex((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-length')
          handler.onHead({
            status,
            reason,
            headers: text,
            length: length === -1 ? undefined : Number(text[length + 1]),
            isChunked: false,
            isKept: true,
            keepAlive: undefined,
          })
        },
        onResponseData: (_controller, piece) => handler.onData(piece),
        onResponseEnd: () => handler.onEnd([]),
        onResponseError: (_controller, error) => handler.onError(new UpstreamError('lost', error.name)),
      },
    )
  }
}

/** The upstream process: `/304` is a response after which our client closes the connection. */
async function runUpstream(): Promise<void> {
  const respond = (message: http.IncomingMessage, response: http.ServerResponse) => {
    if (message.url === '/304') return void response.writeHead(304).end()
    const body = message.url === '/empty' ? '' : 'x'.repeat(200)
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body)
  }
  const authority = createAuthority('bench')
  const plain = await listen(http.createServer(respond))
  const secure = await listen(https.createServer(authority.issue('localhost'), respond))
  process.send!({ plain, secure, ca: authority.cert })
}

/** The proxy process: reports its own CPU time. */
async function runProxy(plain: string, secure: string, ca: string): Promise<void> {
  const upstreams = createUpstreams({ ca })
  const ours = upstreams.get([`http://127.0.0.1:${plain}`], 1000)
  const ourSecure = upstreams.get([`https://localhost:${secure}`], 1000)
  const pool = new UndiciPool(`http://127.0.0.1:${plain}`) as unknown as UpstreamPool
  const undici: Upstream = { ...ours, pick: () => ({ ...ours.pick()!, pool }) }
  const byName: Record<string, Upstream> = { ours, undici, secure: ourSecure }
  const server = http.createServer((message, response) => {
    const [, name = '', path = ''] = message.url!.split('/')
    const outgoing = rules.request(message.rawHeaders, {
      origin: { ip: '127.0.0.1', protocol: 'http', host: message.headers.host },
      host: 'keep',
      drop: undefined,
      identity: { 'X-Forwarded-User': 'alice' },
    })
    if (!outgoing.ok) throw new Error(outgoing.reason)
    forward(message, response, {
      ...outgoing,
      upstream: byName[name]!,
      target: `/${path}`,
      rules,
      limits: { body: 1 << 20, bodyTimeout: 5000, idle: 5000 },
      timeouts: { headers: 5000, body: 5000, total: 0 },
      onOutcome(outcome) {
        if (outcome.kind === 'failed') response.writeHead(502).end(outcome.reason)
      },
    })
  })
  process.on('message', () => process.send!(process.cpuUsage()))
  process.send!({ port: await listen(server) })
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Returns the CPU time of the proxy in microseconds per request. */
async function measure(proxy: ReturnType<typeof fork>, url: string): Promise<number> {
  const readUsage = async () => {
    proxy.send('usage')
    const [usage] = (await once(proxy, 'message')) as [NodeJS.CpuUsage]
    return usage.user + usage.system
  }
  const before = await readUsage()
  let left = REQUESTS
  const client = async () => {
    while (left > 0) {
      left -= 1
      const { statusCode, body } = await request(url)
      await body.dump()
      if (statusCode !== 200 && statusCode !== 304) throw new Error(`${url}: ${statusCode}`)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, client))
  return ((await readUsage()) - before) / REQUESTS
}

async function main(): Promise<void> {
  const file = fileURLToPath(import.meta.url)
  const upstream = fork(file, ['upstream'])
  const [{ plain, secure, ca }] = (await once(upstream, 'message')) as [Record<string, string>]
  const proxy = fork(file, ['proxy', String(plain), String(secure), ca!])
  const [{ port }] = (await once(proxy, 'message')) as [{ port: number }]
  const figures: Record<string, number[]> = {}
  const cases = ['ours/body', 'undici/body', 'ours/empty', 'ours/304', 'secure/empty', 'secure/304']
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const name of round % 2 === 0 ? cases : cases.toReversed()) {
      const microseconds = await measure(proxy, `http://127.0.0.1:${port}/${name}`)
      // The first round warms up.
      if (round > 0) (figures[name] ??= []).push(microseconds)
    }
  }
  for (const [name, all] of Object.entries(figures)) {
    const [median, low, high] = Object.values(spreadOf(all)).map(Math.round)
    console.log(`${name}: ${median} µs of CPU per request (95 %: ${low} to ${high})`)
  }
  proxy.kill()
  upstream.kill()
  process.exit()
}

const [role, ...rest] = process.argv.slice(2)
if (role === 'upstream') await runUpstream()
else if (role === 'proxy') await runProxy(...(rest as [string, string, string]))
else await main()
