/** 200 clients that are slow in four ways, at once, and others beside them that don't notice. */
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import net from 'node:net'
import t from 'tap'
import type { Test } from 'tap'
import { listen } from '../support/forwarding.js'
import { call, serveGateway, soon } from '../support/gateway-process.js'

const OF_A_KIND = 50
const LIMIT = '4s'
/** Of each answer that is read slowly: many times what all buffers on the way hold. */
const LARGE = Buffer.alloc(32 << 20)
const GROWTH = 100e6

/** Large answers whose connection is gone. */
let abandoned = 0
const upstream = createServer((request, response) => {
  if (request.url !== '/large') return void request.resume().once('end', () => response.end('ok'))
  response.once('close', () => (abandoned += 1))
  response.writeHead(200, { 'content-length': LARGE.length }).end(LARGE)
})
const origin = `http://127.0.0.1:${await listen(t, upstream)}`
const gateway = await serveGateway(t, {
  // The minimum rate also ends a body that drips, after 5 s. On a busy machine either may be first.
  limits: { headersTimeout: LIMIT, bodyTimeout: LIMIT, idle: LIMIT, minBodyRate: '0b' },
  routes: [
    { path: '/', upstream: origin, auth: 'none' },
    // A body that drips is never late: only all of it can be.
    { path: '/uploads', upstream: origin, auth: 'none', timeouts: { total: LIMIT } },
  ],
})
const { url } = gateway
const pid = Number(gateway.records()[0]!['pid'])

interface Slow {
  /** The beginning of what it got. */
  readonly text: string
  readonly bytes: number
  readonly isOpen: boolean
  /** From now on it takes what comes. */
  resume(): void
}

/** Connects, sends `first`, and then a byte a second; or takes only the beginning of the answer. */
async function connect(t: Test, first: string, { drips = true, reads = true } = {}): Promise<Slow> {
  const socket = net.connect(Number(new URL(url).port), '127.0.0.1')
  const resume = () => {
    reads = true
    socket.resume()
  }
  const slow = { text: '', bytes: 0, isOpen: true, resume }
  socket.on('error', () => {})
  socket.on('close', () => (slow.isOpen = false))
  socket.on('data', (chunk) => {
    if (slow.bytes < 1_000) slow.text += chunk.toString('latin1', 0, 1_000)
    slow.bytes += chunk.length
    if (!reads) socket.pause()
  })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  socket.write(first)
  const dripping = drips ? setInterval(() => socket.write('x'), 1_000) : undefined
  t.teardown(() => clearInterval(dripping))
  return slow
}

async function connectAll(t: Test, first: (n: number) => string, options = {}): Promise<Slow[]> {
  return Promise.all(Array.from({ length: OF_A_KIND }, (_, n) => connect(t, first(n), options)))
}

const json = 'Content-Type: application/json\r\n'
const post = (target: string) => `POST ${target} HTTP/1.1\r\nHost: x\r\n${json}Content-Length: 1000\r\n\r\n{`

async function connectSlowClients(t: Test) {
  const [readers, senders, headers, idle] = await Promise.all([
    connectAll(t, () => 'GET /large HTTP/1.1\r\nHost: x\r\n\r\n', { drips: false, reads: false }),
    connectAll(t, (n) => post(n % 2 === 0 ? '/uploads' : '/auth/login')),
    connectAll(t, () => 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '),
    connectAll(t, () => 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', { drips: false }),
  ])
  return { readers, senders, headers, idle }
}

const residentBytes = () =>
  Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
const openFiles = () => readdirSync(`/proc/${pid}/fd`).length

async function normalRequest(t: Test): Promise<number> {
  const answer = await call(url, 'POST', '/normal', { body: 'x'.repeat(1_000) })
  if (answer.status !== 200 || answer.text !== 'ok') t.fail(`a normal request: ${answer.status}`)
  return answer.milliseconds
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!

t.test('200 slow clients don’t slow a normal request, cost little, and are disconnected', async (t) => {
  for (let n = 0; n < 200; n++) await normalRequest(t)
  const unloaded: number[] = []
  for (let n = 0; n < 100; n++) unloaded.push(await normalRequest(t))
  const [memory, files] = [residentBytes(), openFiles()]

  const { readers, senders, headers, idle } = await connectSlowClients(t)
  const all = [...readers, ...senders, ...headers, ...idle]
  await soon('answers have begun, and the idle have had theirs', () =>
    [...readers, ...idle].every(({ text }) => text.startsWith('HTTP/1.1 200 ')),
  )
  t.ok(openFiles() - files >= 4 * OF_A_KIND, 'they are all connected')

  const loaded: number[] = []
  let peak = 0
  while (loaded.length < 200 && all.every(({ isOpen }) => isOpen)) {
    loaded.push(await normalRequest(t))
    peak = Math.max(peak, residentBytes())
  }
  if (!t.ok(loaded.length >= 20, `${loaded.length} normal requests while all of them were there`)) return
  const before = median(unloaded)
  t.comment(`median: ${before.toFixed(1)} ms alone, ${median(loaded).toFixed(1)} ms among slow ones`)
  t.comment(`memory: ${Math.round(memory / 1e6)} MB, then ${Math.round(peak / 1e6)} MB`)
  t.ok(median(loaded) <= 5 * before + 20, 'the median is not much higher')
  t.ok(peak - memory < GROWTH, 'memory is bounded')

  await soon('those who read nothing are cut, and the upstream told', () => abandoned === OF_A_KIND)
  for (const reader of readers) reader.resume()
  await soon('all are cut', () => all.every(({ isOpen }) => !isOpen))
  const statuses = (some: readonly Slow[]) => [...new Set(some.map(({ text }) => text.slice(9, 12)))]
  t.strictSame(statuses(headers), ['408'], 'headers that drip')
  t.strictSame(
    statuses(senders.filter((_, n) => n % 2 === 1)),
    ['408'],
    'a body that drips to a route of ours',
  )
  t.strictSame(statuses(senders.filter((_, n) => n % 2 === 0)), ['504'], 'and through the proxy')
  t.ok(
    readers.every(({ bytes }) => bytes < LARGE.length),
    'no answer that was not read is whole',
  )
  await normalRequest(t)
})
