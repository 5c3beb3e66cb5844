/** `TRANSFER_MIB=1024` sends as much, up and down. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { listen } from '../support/forwarding.js'
import { serveGateway } from '../support/gateway-process.js'

const MIB = 1 << 20
const SIZE = Number(process.env['TRANSFER_MIB'] ?? 256) * MIB
const WARM_UP = 32 * MIB
const GROWTH = 50e6
/** After how much a slow reader pauses. */
const STEP = 8 * MIB

const upstream = http.createServer(async (request, response) => {
  const received = await receive(request, request.headers['x-pace'] === 'slow')
  const size = Number(request.headers['x-size'] ?? 0)
  response.writeHead(200, { 'content-length': size, 'x-received': received })
  await send(response, size)
  response.end()
})
const gateway = await serveGateway(t, {
  routes: [
    {
      path: '/',
      upstream: `http://127.0.0.1:${await listen(t, upstream)}`,
      auth: 'none',
      limits: { body: `${SIZE / MIB}mb` },
    },
  ],
})
const { url } = gateway
const pid = Number(gateway.records()[0]!['pid'])

async function send(to: NodeJS.WritableStream, size: number): Promise<void> {
  const piece = Buffer.alloc(1 << 16)
  for (let sent = 0; sent < size; sent += piece.length) {
    if (!to.write(piece)) await new Promise((resolve) => to.once('drain', resolve))
  }
}

/** Reads all that comes; `slowly` so that the other side has to wait. Gives how much it was. */
async function receive(from: NodeJS.ReadableStream, slowly: boolean): Promise<number> {
  let received = 0
  for await (const chunk of from) {
    const before = received
    received += (chunk as Buffer).length
    if (slowly && Math.trunc(before / STEP) !== Math.trunc(received / STEP)) await delay(20)
  }
  return received
}

/** Sends `up` bytes and takes `down`; gives how many came at the other ends. */
async function transfer(up: number, down: number, slowly = false) {
  const request = http.request(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-length': up, 'x-size': down, 'x-pace': slowly ? 'slow' : 'fast' },
  })
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject)
  })
  await send(request, up)
  request.end()
  const response = await answered
  const received = await receive(response, slowly)
  return { up: Number(response.headers['x-received']), down: received }
}

function residentBytes(): number {
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}

/** The most that the gateway had while `work` was under way. */
async function peakDuring(work: () => Promise<void>): Promise<number> {
  let peak = residentBytes()
  const sampler = setInterval(() => (peak = Math.max(peak, residentBytes())), 20)
  await work()
  clearInterval(sampler)
  return Math.max(peak, residentBytes())
}

t.test(`${SIZE / MIB} MiB up and down pass in constant memory`, { timeout: 300_000 }, async (t) => {
  t.comment(`fresh: ${Math.round(residentBytes() / 1e6)} MB`)
  for (let n = 0; n < 3; n++) await transfer(WARM_UP, WARM_UP)
  // By now V8 has compiled what is hot, which takes some 30 MB for a moment.
  const baseline = residentBytes()
  t.comment(`warmed up: ${Math.round(baseline / 1e6)} MB`)
  for (const [what, up, down, slowly] of [
    ['up', SIZE, 0, false],
    ['up, to a slow upstream', SIZE, 0, true],
    ['down', 0, SIZE, false],
    ['down, to a slow client', 0, SIZE, true],
  ] as const) {
    const peak = await peakDuring(async () => {
      t.strictSame(await transfer(up, down, slowly), { up, down }, `${what}: whole`)
    })
    const growth = peak - baseline
    t.ok(growth < GROWTH, `${what}: grew by ${Math.round(growth / 1e6)} MB to ${Math.round(peak / 1e6)} MB`)
  }
})
