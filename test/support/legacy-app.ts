/**
 * A legacy API with something of everything in HTTP/1.1. It says the same each time, so that answers can be compared.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import { listen } from './forwarding.js'
import { serveFile } from './legacy-file.js'

export interface LegacyApp {
  readonly url: string
  /** Connections that it was opened so far. */
  readonly connections: () => number
}

/** What `/echo` says that it got. */
export interface Echo {
  readonly method: string
  readonly target: string
  readonly length: number
  readonly sha256: string
  readonly framing: string | undefined
  readonly type: string | undefined
  readonly cookie: string | undefined
  readonly user: string | undefined
}

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** More than a kilobyte of text, so that compressing it changes it. */
export const TEXT = 'The gate stands; the bridge is down. '.repeat(50)

/** Answers by path; what isn't here is 404. */
const HANDLERS: Record<string, Handler> = {
  '/file': serveFile,
  '/echo': echo,
  '/redirect/relative': (_, response) => response.writeHead(302, { location: '../echo?from=relative' }).end(),
  '/redirect/absolute': ({ headers }, response) =>
    response.writeHead(301, { location: `http://${headers.host}/echo?from=absolute` }).end(),
  '/redirect/elsewhere': (_, response) =>
    response.writeHead(308, { location: 'HTTPS://Elsewhere.example:8443/a%2fb?c=/../d#e' }).end(),
  '/redirect/see-other': (request, response) =>
    request.resume().once('end', () => response.writeHead(303, { location: '/echo' }).end()),
  '/redirect/same-method': (request, response) =>
    request.resume().once('end', () => response.writeHead(307, { location: '/echo' }).end()),
  '/compressed/gzip': (_, response) => sendCompressed(response, 'gzip', gzipSync(TEXT)),
  '/compressed/br': (_, response) => sendCompressed(response, 'br', brotliCompressSync(TEXT)),
  '/compressed/deflate': (_, response) => sendCompressed(response, 'deflate', deflateSync(TEXT)),
  '/cookies': (_, response) =>
    response
      .writeHead(200, {
        'set-cookie': ['first=1; Path=/; HttpOnly', 'second="two; 2"; Expires=Fri, 01 Jan 2100 00:00:00 GMT'],
      })
      .end('two cookies'),
  // Names of ours, as far as a gateway of either kind has them.
  '/our-cookies': (_, response) =>
    response
      .writeHead(200, { 'set-cookie': ['access=x; Path=/', 'mine=1; Path=/', '__Secure-refresh=x; Secure'] })
      .end(),
  '/chunked': ({ method, httpVersion }, response) => {
    const trailer = method === 'HEAD' || httpVersion === '1.0' ? {} : { trailer: 'X-Sum' }
    response.writeHead(200, { 'content-type': 'text/plain', ...trailer })
    for (let n = 0; n < 5; n++) response.write(`piece ${n}\n`)
    response.addTrailers({ 'X-Sum': 'abc' })
    response.end()
  },
  '/no-content': (_, response) => response.writeHead(204, { 'x-a': '1' }).end(),
  '/early-hints': (_, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' })
    response.writeHead(200).end('after the hints')
  },
  '/teapot': (_, response) => response.writeHead(418, 'Short And Stout', ['X-A', '1', 'x-a', '2']).end('no'),
  '/large-headers': (_, response) => response.writeHead(200, { 'x-large': 'y'.repeat(12_000) }).end('large'),
  '/latin1': (request, response) =>
    response.writeHead(200, { 'x-name': 'Zo\xeb', 'x-got': String(request.headers['x-name']) }).end(),
  '/slow-end': (_, response) => void response.writeHead(200).write('it begins'),
  '/page': (_, response) =>
    response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      .end('<!doctype html><title>Legacy</title><h1>Zoë’s blog</h1>'),
  '/private/page': ({ headers }, response) =>
    response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      .end(`<!doctype html><title>Private</title><h1>Hello ${headers['x-forwarded-user']}</h1>`),
  '/private/events': (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 100\n\n')
    const send = (n: number) => response.write(`id: ${n}\ndata: event ${n}\n\n`)
    send(1)
    send(2)
    // Later, as real ones: what else the page has begun is ready before it.
    setTimeout(send, 300, 3)
  },
}

export async function startLegacyApp(
  t: Test,
): Promise<LegacyApp & { server: ReturnType<typeof createServer> }> {
  let connections = 0
  const server = createServer((request, response) => {
    const path = request.url!.split('?', 1)[0]!
    if (request.method === 'OPTIONS')
      return response.writeHead(200, { allow: 'GET, HEAD', 'x-target': path }).end()
    const handle = HANDLERS[path]
    return handle ? handle(request, response) : response.writeHead(404).end('no such page')
  })
  server.on('connection', () => (connections += 1))
  const port = await listen(t, server)
  return { url: `http://127.0.0.1:${port}`, connections: () => connections, server }
}

function sendCompressed(response: ServerResponse, encoding: string, bytes: Buffer): void {
  const headers = { 'content-encoding': encoding, 'content-type': 'text/plain', vary: 'Accept-Encoding' }
  response.writeHead(200, { ...headers, 'content-length': bytes.length }).end(bytes)
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url, headers } = request
  const body = await buffer(request)
  const said: Echo = {
    method: method!,
    target: url!,
    length: body.length,
    sha256: sha256(body),
    framing: headers['content-length'] ?? headers['transfer-encoding'],
    type: headers['content-type'],
    cookie: headers.cookie,
    user: headers['x-forwarded-user'] as string | undefined,
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said))
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
