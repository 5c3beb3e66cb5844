/** Three HTTP clients on a virtual upstream: ours, undici's, and Node's. Each keeps one connection at a time. */
import http from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { Client } from 'undici'
import { UpstreamPool } from '../../src/gateway/http1-client/upstream-pool.js'
import type { GeneratedExchange } from './generated-exchanges.js'
import { turns } from './virtual-upstream.js'
import type { VirtualUpstream } from './virtual-upstream.js'

export interface Delivery {
  /** The ids of all response heads, interim ones included. */
  readonly ids: readonly string[]
  readonly status: number
  readonly body: string
  readonly trailer: string | undefined
}

export type Result = Delivery | { readonly error: string }

export interface ExchangeClient {
  send(exchange: GeneratedExchange): Promise<Result>
  close(): void
}

export type ConnectClient = (upstream: VirtualUpstream) => ExchangeClient

/** The body of a request, which arrives piece by piece. */
function startBody({ body }: GeneratedExchange): PassThrough | null {
  if (body.length === 0) return null
  const stream = new PassThrough()
  stream.on('error', () => {})
  void (async () => {
    for (const piece of body) {
      await turns(1)
      stream.write(piece)
    }
    stream.end()
  })()
  return stream
}

const lengthOf = ({ body }: GeneratedExchange) => body.join('').length

export const connectOurs: ConnectClient = (upstream) => {
  const pool = new UpstreamPool({
    connect: (done) => void setImmediate(() => done(null, upstream.connect() as unknown as Socket)),
    most: 1,
  })
  return {
    send: (exchange) =>
      new Promise((resolve) => {
        const ids: string[] = []
        let status = 0
        let body = ''
        const note = (headers: readonly string[]) => void ids.push(headers[headers.indexOf('X-Id') + 1]!)
        const stream = startBody(exchange)
        const framing = exchange.isChunked
          ? ({ kind: 'chunked' } as const)
          : ({ kind: 'sized', bytes: lengthOf(exchange) } as const)
        pool.dispatch(
          {
            method: exchange.method,
            target: `/${exchange.id}`,
            host: 'upstream',
            headers: [],
            framing: stream === null ? { kind: 'none' } : framing,
            body: stream,
            upgrade: undefined,
            timeouts: { headers: 0, body: 0 },
          },
          {
            isSettled: false,
            onSend() {},
            onInterim: ({ headers }) => note(headers),
            onHead(head) {
              note(head.headers)
              status = head.status
            },
            onData: (piece) => void (body += piece.toString('latin1')),
            onEnd: (trailers) => resolve({ ids, status, body, trailer: trailers[1] }),
            onUpgrade: () => resolve({ error: 'upgrade' }),
            onError: ({ reason }) => resolve({ error: reason }),
          },
        )
      }),
    close: () => pool.destroy(),
  }
}

export const connectUndici: ConnectClient = (upstream) => {
  const client = new Client('http://upstream', {
    connect: (_options, done) => void setImmediate(() => done(null, upstream.connect() as unknown as Socket)),
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  return {
    async send(exchange) {
      const ids: string[] = []
      const stream = startBody(exchange)
      const headers =
        stream && !exchange.isChunked ? { 'content-length': String(lengthOf(exchange)) } : undefined
      try {
        const response = await client.request({
          method: exchange.method as 'GET',
          path: `/${exchange.id}`,
          body: stream,
          headers: headers ?? null,
          onInfo: (info) => void ids.push(String(info.headers['x-id'])),
        })
        const body = await response.body.text()
        ids.push(String(response.headers['x-id']))
        return { ids, status: response.statusCode, body, trailer: response.trailers['x-sum'] }
      } catch (error) {
        return { error: (error as Error).message }
      }
    },
    close: () => void client.destroy(),
  }
}

export const connectNode: ConnectClient = (upstream) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  Object.assign(agent, { createConnection: () => upstream.connect() })
  return {
    send: (exchange) =>
      new Promise((resolve) => {
        const ids: string[] = []
        const stream = startBody(exchange)
        const headers =
          stream &&
          (exchange.isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': lengthOf(exchange) })
        const request = http.request({
          agent,
          host: 'upstream',
          method: exchange.method,
          path: `/${exchange.id}`,
          headers: headers ?? {},
        })
        request.on('information', (info) => void ids.push(String(info.headers['x-id'])))
        request.on('error', ({ message }) => resolve({ error: message }))
        request.on('response', (response) => {
          let body = ''
          ids.push(String(response.headers['x-id']))
          response.setEncoding('latin1').on('data', (piece: string) => (body += piece))
          response.on('error', ({ message }) => resolve({ error: message }))
          response.on('end', () =>
            resolve({ ids, status: response.statusCode!, body, trailer: response.trailers['x-sum'] }),
          )
        })
        if (stream === null) request.end()
        else stream.pipe(request)
      }),
    close: () => agent.destroy(),
  }
}
