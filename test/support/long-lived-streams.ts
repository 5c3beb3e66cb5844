/** Streams that go on: through a gateway, to an upstream that never finishes. */
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import type { Scope } from './redis.js'
import { soon } from './gateway-process.js'

/** Soon enough. The promise, from when the logout has answered. */
export const PROMISE_MILLISECONDS = 100

const TICK_MILLISECONDS = 20

/**
 * An upstream: `/live` is a WebSocket, `/events` an event stream, `/download` has a length that it doesn't come to, and
 * `/upload` answers when it has read everything. Each says something every 20 ms.
 */
export async function startTicker(t: Scope): Promise<string> {
  const server = createServer((incoming, response) => {
    const { pathname } = new URL(incoming.url!, 'http://x')
    if (pathname === '/events') response.writeHead(200, { 'content-type': 'text/event-stream' })
    else if (pathname === '/download') response.writeHead(200, { 'content-length': 1 << 30 })
    else return void upload(incoming, response)
    tick(response, () => response.write('data: tick\n\n'))
  })
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => {
    socket.on('error', () => {})
    tick(socket, () => socket.send('tick'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function upload(incoming: IncomingMessage, response: ServerResponse): void {
  incoming.on('error', () => {}).resume()
  incoming.once('end', () => response.end('read'))
}

function tick(until: { once(event: 'close', listener: () => void): unknown }, say: () => void): void {
  const timer = setInterval(say, TICK_MILLISECONDS)
  until.once('close', () => clearInterval(timer))
}

/** How a client saw a stream end. */
export interface End {
  readonly kind: Kind
  /** On the clock of `performance.now`. */
  readonly at: number
  /** Of an upload: the code of the problem that it was answered. The others: whether what came looks whole. */
  readonly how: string
}

export type Kind = 'websocket' | 'events' | 'download' | 'upload'
export const KINDS: readonly Kind[] = ['websocket', 'events', 'download', 'upload']

export interface Stream {
  readonly kind: Kind
  readonly ended: Promise<End>
  end(): End | undefined
  /** How often it has brought something, or, for an upload, how often something was sent. */
  ticks(): number
}

/** Opens one of a kind beneath a path of the gateway's, and waits until it brings something. */
export async function openStream(
  t: Scope,
  kind: Kind,
  base: string,
  token: string,
  path = '',
): Promise<Stream> {
  let count = 0
  let seen: End | undefined
  let settle!: (end: End) => void
  const ended = new Promise<End>((resolve) => (settle = resolve))
  const watch: Watch = {
    tick: () => (count += 1),
    end: (how) => settle((seen ??= { kind, how, at: performance.now() })),
  }
  const headers = { authorization: `Bearer ${token}` }
  if (kind === 'websocket') {
    const socket = new WebSocket(`${base.replace('http', 'ws')}${path}/live`, { headers })
    t.teardown(() => socket.terminate())
    socket.on('error', () => {})
    socket.on('message', watch.tick)
    socket.on('close', (code) => watch.end(code === 1006 ? 'cut' : `closed by ${code}`))
  } else {
    const url = `${base}${path}/${kind}`
    const agent = new Agent({ keepAlive: true })
    const outgoing = request(url, { method: kind === 'upload' ? 'POST' : 'GET', headers, agent })
    t.teardown(() => void outgoing.destroy())
    if (kind === 'upload') send(outgoing, watch)
    else receive(outgoing.end(), watch)
  }
  await soon(`the ${kind} has begun`, () => count > 1)
  return { kind, ended, end: () => seen, ticks: () => count }
}

interface Watch {
  tick(): void
  end(how: string): void
}

function receive(outgoing: ClientRequest, { tick: onTick, end }: Watch): void {
  outgoing.on('error', () => end('cut'))
  outgoing.on('response', (response) => {
    response.on('data', onTick)
    response.on('error', () => {})
    response.on('close', () => end(response.complete ? 'looks whole' : 'cut'))
  })
}

function send(outgoing: ClientRequest, { tick: onTick, end }: Watch): void {
  outgoing.on('error', () => end('cut'))
  tick(outgoing, () => {
    if (!outgoing.destroyed) outgoing.write('tick', onTick)
  })
  outgoing.on('response', async (response) => {
    let text = ''
    for await (const chunk of response) text += String(chunk)
    outgoing.destroy()
    end(String((JSON.parse(text) as { code: string }).code))
  })
}

/** One of each kind. */
export function openAll(t: Scope, base: string, token: string, path?: string): Promise<Stream[]> {
  return Promise.all(KINDS.map((kind) => openStream(t, kind, base, token, path)))
}

/** All end, and nothing looks as if it were finished. */
export async function areCut(t: Test, streams: readonly Stream[], code: string): Promise<readonly End[]> {
  await soon('all streams have ended', () => streams.every((stream) => stream.end() !== undefined))
  const ends = streams.map((stream) => stream.end()!)
  t.strictSame(
    ends.map(({ kind, how }) => `${kind}: ${how}`),
    ends.map(({ kind }) => `${kind}: ${kind === 'upload' ? code : 'cut'}`),
  )
  return ends
}

/** All bring something still. */
export async function goOn(t: Test, streams: readonly Stream[], what = 'the others go on'): Promise<void> {
  const before = streams.map((stream) => stream.ticks())
  await soon(what, () => streams.every((stream, i) => stream.ticks() > before[i]! + 1 || stream.end()))
  t.strictSame(
    streams.filter((stream) => stream.end()).map((stream) => stream.end()),
    [],
    what,
  )
}

const STALL_SAMPLE_MILLISECONDS = 10
/** How late timers of this process were, and when: so long the machine had no time for anybody. */
const stalls: { at: number; late: number }[] = []
let lastSample = performance.now()
setInterval(() => {
  const at = performance.now()
  stalls.push({ at, late: at - lastSample - STALL_SAMPLE_MILLISECONDS })
  lastSample = at
}, STALL_SAMPLE_MILLISECONDS).unref()

/**
 * That the streams ended in time. Of several the one in the middle counts: all of them end in one go. What the machine
 * took for others is no time of the gateway's: three processes may each have waited as long as this one did.
 */
export function isInTime(
  t: Test,
  since: number,
  ends: readonly End[],
  what: string,
  measuredSince = since,
): void {
  const took = ends.map(({ at }) => Math.max(0, at - since)).toSorted((a, b) => a - b)
  const middle = took[Math.floor(took.length / 2)]!
  const stall = Math.max(0, ...stalls.filter(({ at }) => at >= measuredSince).map(({ late }) => late))
  t.comment(
    `${what}: ${took.map((each) => each.toFixed(0)).join(' ')} ms; longest stall ${stall.toFixed(0)} ms`,
  )
  t.ok(middle <= PROMISE_MILLISECONDS + 3 * stall, `${what}: ${middle.toFixed(1)} ms`)
}
