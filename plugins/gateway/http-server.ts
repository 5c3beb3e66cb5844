import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { ErrorCode } from '../../src/errors.js'
import { StartError } from '../../src/start-error.js'
import { sendError, buildProblemDetails, toPortcullisError } from '../problem-details.js'
import { childLoggerFactory } from './request-log.js'
import { checkBeforeRouting } from './strict-requests.js'
import { abandonPipeline } from './pipelining.js'

/** How often Node looks for connections whose headers are late, in ms; its default, 30 s, would be the real limit. */
const CONNECTIONS_CHECK = 500

/** The gateway's Fastify application, with the limits of its HTTP server; without routes. */
export async function createApp(settings: GatewaySettings, log: FastifyBaseLogger): Promise<FastifyInstance> {
  const { limits, listen } = settings
  const http = {
    maxHeaderSize: limits.headers,
    headersTimeout: limits.headersTimeout,
    connectionsCheckingInterval: CONNECTIONS_CHECK,
    // Bodies are timed where they are read.
    requestTimeout: 0,
    keepAliveTimeout: limits.idle,
    // Node would answer without a problem; `refuseBadRequests` asks for it.
    requireHostHeader: false,
  }
  const options = {
    loggerInstance: log,
    childLoggerFactory,
    logController: new LogController({ disableRequestLogging: !settings.log.requests }),
    trustProxy: listen.trustProxy.length > 0 ? [...listen.trustProxy] : false,
    genReqId: requestIds(),
    rewriteUrl: checkBeforeRouting(limits),
    clientErrorHandler: answerClientError,
    // No hook runs then, so it waits for no turn: what comes behind it mustn't overtake.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      abandonPipeline(request.raw.socket)
      sendError(request, reply.header('connection', 'close'), toPortcullisError(error))
    },
    // Connections that are open when the server stops may still ask while the others finish.
    return503OnClosing: false,
    keepAliveTimeout: limits.idle,
    requestTimeout: 0,
  }
  const tls = listen.tls && (await readTls(listen.tls))
  // Fastify's types tell the two servers apart; nothing here does.
  const app = fastify({
    ...options,
    ...(tls ? { https: { ...http, ...tls } } : { http }),
  } as object) as FastifyInstance
  // Node drops headers beyond its own limit without a word; ours must be the one that is met first.
  app.server.maxHeadersCount = limits.headerCount + 100
  return app
}

/** Ids that differ between instances, for the log and the problem's `request_id`. */
function requestIds(): () => string {
  const instance = randomBytes(4).toString('hex')
  let count = 0
  return () => `${instance}-${(++count).toString(36)}`
}

async function readTls({ cert, key }: { readonly cert: string; readonly key: string }) {
  const read = (file: string, setting: string) =>
    readFile(file).catch((error: Error) => {
      throw new StartError(`${setting}: ${file} can’t be read: ${error.message}`)
    })
  return { cert: await read(cert, 'listen.tls.cert'), key: await read(key, 'listen.tls.key') }
}

/** What Node's parser refuses before there is a request: answered as a problem, too, and the connection closed. */
const CLIENT_ERRORS: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/**
 * Node's own field: the answer that is being written. As Node's default does, nothing is written into one that has
 * begun.
 */
type Answering = Socket & { _httpMessage?: ServerResponse | null }

function answerClientError(error: NodeJS.ErrnoException, socket: Answering): void {
  // oxlint-disable-next-line no-underscore-dangle
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent) {
    return void socket.destroy()
  }
  const refusal = new PortcullisError(CLIENT_ERRORS[error.code ?? ''] ?? 'invalid_request')
  const body = JSON.stringify(buildProblemDetails(refusal, randomBytes(4).toString('hex')))
  socket.end(
    `HTTP/1.1 ${refusal.statusCode} ${refusal.title}\r\nContent-Type: application/problem+json\r\n` +
      `Cache-Control: no-store\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
