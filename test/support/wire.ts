/** A gateway, an upstream that reads as strictly as can be and keeps what it saw, and a client that sends raw bytes. */
import type { Test } from 'tap'
import { listen } from './forwarding.js'
import { startGateway } from './gateway-process.js'
import type { Overrides } from './gateway-process.js'
import net from 'node:net'

/** A request that an upstream has read whole. */
export interface Received {
  readonly method: string
  readonly target: string
  /** Names as they came, and values. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
  /** All of its bytes. */
  readonly bytes: string
}

export interface Recorder {
  readonly url: string
  readonly requests: Received[]
  /** What a strict server would not have read, or not as one request. */
  readonly faults: string[]
}

/** How a connection of a client's ended, and all that it was sent before. */
export interface Sent {
  readonly text: string
  /** Of each answer, in turn. */
  readonly statuses: readonly number[]
  readonly end: 'end' | 'reset'
}

export interface Wire {
  readonly url: string
  readonly port: number
  readonly upstream: Recorder
  /** Sends bytes (Latin-1) and waits until the gateway closes. */
  send(bytes: string): Promise<Sent>
}

/** Low enough that whatever waits for more than it gets is soon answered and closed. */
export const LOW_LIMITS = {
  body: '64kb',
  headers: '8kb',
  target: '4kb',
  headersTimeout: '400ms',
  bodyTimeout: '400ms',
  idle: '500ms',
}

/** `/open` is for everybody, `/optional` too, everything else guarded. */
export async function startWire(t: Test, overrides: Overrides = {}, directory?: string): Promise<Wire> {
  const upstream = await startRecorder(t)
  const settings = {
    limits: LOW_LIMITS,
    routes: [
      { path: '/open', upstream: upstream.url, auth: 'none' },
      { path: '/optional', upstream: upstream.url, auth: 'optional' },
      { path: '/', upstream: upstream.url },
    ],
    ...overrides,
  }
  const { url } = await startGateway(t, settings, directory)
  const port = Number(new URL(url).port)
  return { url, port, upstream, send: (bytes) => send(port, bytes) }
}

/** An upstream that answers each whole request by 200 `ok`, and tells of all that isn't to the letter of RFC 9112. */
export async function startRecorder(t: Test): Promise<Recorder> {
  const requests: Received[] = []
  const faults: string[] = []
  const server = net.createServer((socket) => {
    let bytes = ''
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.toString('latin1')
      const read = readRequest(bytes)
      if (read === undefined) return
      if (typeof read === 'string') {
        faults.push(`${read}: ${JSON.stringify(bytes)}`)
        return void socket.destroy()
      }
      requests.push(read)
      if (bytes.length > read.bytes.length) {
        faults.push(`bytes after the end of a request: ${JSON.stringify(bytes)}`)
      }
      bytes = bytes.slice(read.bytes.length)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n' + (read.method === 'HEAD' ? '' : 'ok'))
    })
  })
  return { url: `http://127.0.0.1:${await listen(t, server)}`, requests, faults }
}

const REQUEST_LINE = /^([A-Z-]+) (\/[!-~]*) HTTP\/1\.1$/
const HEADER_LINE = /^([!#$%&'*+.^_`|~\w-]+): ((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)$/

/** The first request in the bytes; undefined where they are not enough; what is wrong with it as text. */
function readRequest(bytes: string): Received | string | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = bytes.slice(0, end).split('\r\n')
  const line = REQUEST_LINE.exec(first)
  if (!line) return 'a request line'
  const headers: [string, string][] = []
  for (const text of lines) {
    const header = HEADER_LINE.exec(text)
    if (!header) return 'a header'
    headers.push([header[1]!, header[2]!])
  }
  const of = (name: string) => headers.filter((header) => header[0].toLowerCase() === name)
  const [length, ...lengths] = of('content-length')
  const [coding, ...codings] = of('transfer-encoding')
  if (lengths.length > 0 || codings.length > 0 || (length && coding)) return 'two framings'
  if (length && !/^\d+$/.test(length[1])) return 'a length'
  if (coding && coding[1] !== 'chunked') return 'a coding'
  const rest = bytes.slice(end + 4)
  const body = coding ? readChunks(rest) : sized(rest, Number(length?.[1] ?? 0))
  if (typeof body !== 'object') return body
  const all = bytes.slice(0, end + 4 + body.taken)
  return { method: line[1]!, target: line[2]!, headers, body: body.text, bytes: all }
}

interface Body {
  readonly text: string
  readonly taken: number
}

function sized(rest: string, length: number): Body | undefined {
  return rest.length < length ? undefined : { text: rest.slice(0, length), taken: length }
}

function readChunks(rest: string): Body | string | undefined {
  let text = ''
  let at = 0
  for (;;) {
    const end = rest.indexOf('\r\n', at)
    if (end === -1) return undefined
    const size = rest.slice(at, end)
    if (!/^[0-9a-f]{1,8}$/i.test(size)) return 'a chunk size'
    const length = Number.parseInt(size, 16)
    const next = end + 2 + length + 2
    if (rest.length < next) return undefined
    if (rest.slice(next - 2, next) !== '\r\n') return length === 0 ? 'a trailer' : 'a chunk'
    if (length === 0) return { text, taken: next }
    text += rest.slice(end + 2, end + 2 + length)
    at = next
  }
}

/** Sends bytes (Latin-1), and gives what comes until the other side closes. */
export function send(port: number, bytes: string): Promise<Sent> {
  const socket = net.connect(port, '127.0.0.1')
  socket.write(Buffer.from(bytes, 'latin1'))
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  return new Promise((resolve) => {
    const ended = (end: Sent['end']) => {
      socket.destroy()
      resolve({ text, statuses: statusesOf(text), end })
    }
    socket.once('end', () => ended('end'))
    socket.once('error', () => ended('reset'))
  })
}

function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status))
}

/** Lines as bytes, with the empty one that ends a head. */
export function head(...lines: readonly string[]): string {
  return lines.join('\r\n') + '\r\n\r\n'
}

/** What an attacker wants to get past the gate. */
export const SMUGGLED = head('GET /guarded/smuggled HTTP/1.1', 'Host: x', 'Connection: close')

/** The values that a request has under a name, however that is spelt: `_` and `.` count as `-`, as in CGI. */
export function valuesOf({ headers }: Received, name: string): string[] {
  return headers.filter((header) => flat(header[0]) === flat(name)).map(([, value]) => value)
}

const flat = (name: string) => name.toLowerCase().replaceAll(/[_.]/g, '-')

/**
 * Sends each payload on a connection of its own, all at once, and says where something got past: a request to anything
 * beneath `/guarded`, or bytes that two servers would read differently. Gives the answers.
 */
export async function attack(t: Test, wire: Wire, payloads: Readonly<Record<string, string>>) {
  const { requests, faults } = wire.upstream
  const answers: Record<string, Sent> = {}
  await Promise.all(
    Object.entries(payloads).map(async ([name, bytes]) => (answers[name] = await wire.send(bytes))),
  )
  t.strictSame(faults, [], 'the upstream saw no bytes that are not to the letter')
  const smuggled = requests.filter(({ target }) => target.startsWith('/guarded'))
  t.strictSame(smuggled, [], 'the upstream saw no request that nobody was let in for')
  return answers
}
