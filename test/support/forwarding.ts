import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { Test } from 'tap'
import { ERRORS } from '../../src/errors.js'
import { forward } from '../../src/gateway/forward.js'
import type { Forwarding, ForwardOptions, ForwardOutcome } from '../../src/gateway/forward.js'
import { headerRules } from '../../src/gateway/header-rules.js'
import type { UpstreamRequest } from '../../src/gateway/http1-client/request-head.js'
import type {
  ResponseHandler,
  UpstreamConnection,
} from '../../src/gateway/http1-client/upstream-connection.js'
import type { UpstreamPool } from '../../src/gateway/http1-client/upstream-pool.js'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import type { UpstreamOptions } from '../../src/gateway/upstreams.js'

/** What a test sets otherwise than a usual gateway has it. */
export interface RigOptions {
  limits?: Partial<ForwardOptions['limits']>
  timeouts?: Partial<ForwardOptions['timeouts']>
  upstreams?: UpstreamOptions
  connect?: number
  onHead?: ForwardOptions['onHead']
  /** `upstream`: the target's own `Host`. */
  host?: 'keep' | 'upstream'
}

export interface Rig {
  port: number
  /** The connections of clients. */
  server: http.Server
  /** All that began. */
  forwardings: Forwarding[]
  outcomes: ForwardOutcome[]
  /** The next outcome that was not asked for yet. */
  outcome(): Promise<ForwardOutcome>
}

const rules = headerRules({ identity: ['X-Forwarded-User'], cookies: ['__Host-access'] })

/** A plain HTTP server that forwards everything to the upstream: a port, or origins. */
export async function gateway(
  t: Test,
  upstream: number | readonly string[],
  options: RigOptions = {},
): Promise<Rig> {
  const upstreams = createUpstreams(options.upstreams)
  const origins = typeof upstream === 'number' ? [`http://127.0.0.1:${upstream}`] : upstream
  const group = upstreams.get(origins, options.connect ?? 1000)
  const forwardings: Forwarding[] = []
  const outcomes: ForwardOutcome[] = []
  const server = http.createServer((request, response) => {
    const made = rules.request(request.rawHeaders, {
      origin: { ip: '127.0.0.1', protocol: 'http', host: request.headers.host },
      host: options.host ?? 'keep',
      drop: undefined,
      identity: { 'X-Forwarded-User': 'alice' },
    })
    if (!made.ok) return void response.writeHead(400).end(made.reason)
    const forwarding = forward(request, response, {
      upstream: group,
      target: request.url!,
      host: made.host,
      headers: made.headers,
      framing: made.framing,
      rules,
      limits: { body: 1 << 20, bodyTimeout: 5000, idle: 5000, ...options.limits },
      timeouts: { headers: 5000, body: 5000, total: 0, ...options.timeouts },
      onHead: options.onHead,
      onOutcome(outcome) {
        if (outcome.kind === 'failed') {
          if (response.headersSent) throw new Error('forward answered and failed')
          response.writeHead(ERRORS[outcome.error][0], { 'content-type': 'text/plain' }).end(outcome.error)
        }
        outcomes.push(outcome)
        server.emit('outcome')
      },
    })
    forwardings.push(forwarding)
  })
  const port = await listen(t, server)
  t.teardown(() => upstreams.destroy())
  let asked = 0
  return {
    port,
    server,
    forwardings,
    outcomes,
    async outcome() {
      const at = asked++
      while (outcomes.length <= at) await once(server, 'outcome')
      return outcomes[at]!
    },
  }
}

export async function listen(t: Test, server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as net.AddressInfo).port
}

/**
 * Asks a server by its pool, without a gateway: `GET /` unless told otherwise. Gives status and body, or why there is
 * none.
 *
 * @param given What the pool is given, to be looked at and changed meanwhile.
 */
export function ask(
  pool: UpstreamPool,
  request: Partial<UpstreamRequest> = {},
  given: {
    isSettled?: boolean
    handler?: ResponseHandler
    connection?: UpstreamConnection
    onData?: (connection: UpstreamConnection) => void
  } = {},
): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    given.handler = {
      get isSettled() {
        return given.isSettled ?? false
      },
      onSend: (connection) => void (given.connection = connection),
      onInterim() {},
      onHead: ({ status }) => void (text = `${status} `),
      onData(piece) {
        text += piece.toString()
        given.onData?.(given.connection!)
      },
      onEnd: () => resolve(text),
      onUpgrade() {},
      onError: ({ reason }) => resolve(reason),
    }
    const plain = { method: 'GET', target: '/', host: 'x', headers: [], body: null, upgrade: undefined }
    const timeouts = { headers: 5000, body: 5000 }
    pool.dispatch({ ...plain, framing: { kind: 'none' }, timeouts, ...request }, given.handler)
  })
}

/** An upstream that is given each connection's bytes as they come; `seen` has all of them, by connection. */
export async function rawUpstream(
  t: Test,
  onData: (socket: net.Socket, seen: string, connection: number) => void,
): Promise<{ port: number; seen: string[]; sockets: net.Socket[] }> {
  const seen: string[] = []
  const sockets: net.Socket[] = []
  const server = net.createServer((socket) => {
    const at = sockets.push(socket) - 1
    seen[at] = ''
    socket.on('data', (chunk) => {
      seen[at] += chunk.toString('latin1')
      onData(socket, seen[at]!, at)
    })
  })
  return { port: await listen(t, server), seen, sockets }
}

/** An upstream that sends `answer` once for each whole request head, then closes if told to. */
export function canned(t: Test, answer: string, end: 'keep' | 'end' | 'reset' = 'keep') {
  const answered = new WeakSet<net.Socket>()
  return rawUpstream(t, (socket, seen) => {
    if (!seen.includes('\r\n\r\n') || answered.has(socket)) return
    answered.add(socket)
    socket.write(Buffer.from(answer, 'latin1'), () => {
      if (end === 'end') socket.end()
      // after the answer has surely been read
      if (end === 'reset') setTimeout(() => socket.resetAndDestroy(), 50)
    })
  })
}

/** Sends bytes, and gives all that comes until the gateway closes; `end` is how it did. */
export async function raw(port: number, bytes: string): Promise<{ text: string; end: 'end' | 'reset' }> {
  const socket = net.connect(port, '127.0.0.1')
  socket.write(Buffer.from(bytes, 'latin1'))
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  return new Promise((resolve) => {
    socket.once('end', () => resolve({ text, end: 'end' }))
    socket.once('error', () => resolve({ text, end: 'reset' }))
  })
}

/** `GET /`, after whose answer the gateway closes the connection. */
export function get(port: number, method = 'GET', version = '1.1') {
  return raw(port, `${method} / HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`)
}

/** The body of a raw answer. */
export function bodyOf(text: string): string {
  return text.slice(text.indexOf('\r\n\r\n') + 4)
}

/** Waits until something has come about; fails the test loudly after ten seconds. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never came about: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Waits until a number has stopped growing for a while, and gives it. */
export async function settled(read: () => number): Promise<number> {
  let last = -1
  while (read() !== last) {
    last = read()
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  return last
}
