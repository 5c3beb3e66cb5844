import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fastify from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import type { ErrorCode } from '../../src/errors.js'
import { readTls } from '../../src/tls-files.js'
import { sendError, buildProblemDetails, toPortcullisError } from '../problem-details.js'
import { OWN_HEADERS } from '../own-headers.js'
import { closeGently } from './close-gently.js'
import { childLoggerFactory } from './request-log.js'
import { logRequest } from './request-line.js'
import { withoutRequestLines } from './request-logging.js'
import { checkBeforeRouting } from './strict-requests.js'
import { readProxyHeaders, trustedProxies } from './trusted-proxies.js'
import { abandonPipeline } from './pipelining.js'

/** Interval of Node's check for late headers, in ms. With its default of 30 s, `headersTimeout` would be that long. */
export const CONNECTIONS_CHECK = 500

/**
 * Creates the gateway's Fastify application without routes, and sets the limits of its HTTP server.
 *
 * @throws {StartError} if a file of `listen.tls` can't be read or used
 */
export async function createApp(settings: GatewaySettings, log: FastifyBaseLogger): Promise<FastifyInstance> {
  const { limits, listen } = settings
  const checkTargetFirst = checkBeforeRouting(settings)
  const proxies = listen.trustProxy.length > 0 && trustedProxies(listen)
  const http = {
    maxHeaderSize: limits.headers,
    headersTimeout: limits.headersTimeout,
    connectionsCheckingInterval: CONNECTIONS_CHECK,
    // Off, because bodies have time limits of their own (`boundBodyTime` and the route's timeouts).
    requestTimeout: 0,
    keepAliveTimeout: limits.idle,
    // Node's response would have no problem details. `rejectBadRequests` checks the header instead.
    requireHostHeader: false,
  }
  const options = {
    loggerInstance: log,
    childLoggerFactory,
    // `logRequests` logs one line instead of two.
    ...withoutRequestLines(),
    // `readProxyHeaders` leaves one address in the header, so only the peer has to be checked.
    trustProxy: proxies && ((address: string, hop: number) => hop === 0 && proxies.isListed(address)),
    genReqId: createRequestIds(),
    rewriteUrl: proxies ? readProxyHeaders(proxies, checkTargetFirst) : checkTargetFirst,
    clientErrorHandler: sendClientError,
    // No hook runs after these errors, so pipelining isn't tracked. Drop the requests behind this one instead.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      abandonPipeline(request.raw.socket)
      sendError(request, reply.header('connection', 'close'), toPortcullisError(error))
      if (settings.log.requests) logRequest(request, reply)
    },
    // Serve requests on open connections while the server stops.
    return503OnClosing: false,
    keepAliveTimeout: limits.idle,
    requestTimeout: 0,
  }
  const tls = listen.tls && (await readTls(listen.tls))
  // Fastify has different types for HTTP and HTTPS servers. The gateway uses only what they share.
  const app = fastify({
    ...options,
    ...(tls ? { https: { ...http, ...tls, handshakeTimeout: limits.headersTimeout } } : { http }),
  } as object) as FastifyInstance
  // Node silently drops headers above its own limit, so our limit must be reached first.
  app.server.maxHeadersCount = limits.headerCount + 100
  return app
}

/** Returns a generator of request ids, which differ between instances. The log and problem details contain the id. */
function createRequestIds(): () => string {
  const instance = randomBytes(4).toString('hex')
  let count = 0
  return () => `${instance}-${(++count).toString(36)}`
}

/** Our codes for errors of Node's HTTP parser. All other parser errors become `invalid_request`. */
const CLIENT_ERRORS: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** A socket with Node's internal field for the response in progress. */
type RespondingSocket = Socket & { _httpMessage?: ServerResponse | null }

/**
 * Responds to a request that Node's parser rejected, and closes the connection. As Node does by default, it writes
 * nothing if a response has already started.
 */
export function sendClientError(error: NodeJS.ErrnoException, socket: RespondingSocket): void {
  const code = error.code ?? ''
  // After an error of the socket nothing can be written. During a TLS handshake, a response would wait for its end.
  const isOfHttp = code.startsWith('HPE_') || code.startsWith('ERR_HTTP_')
  // oxlint-disable-next-line no-underscore-dangle
  if (!isOfHttp || !socket.writable || socket._httpMessage?.headersSent) return void socket.destroy()
  const portcullisError = new PortcullisError(CLIENT_ERRORS[code] ?? 'invalid_request')
  const body = JSON.stringify(buildProblemDetails(portcullisError, randomBytes(4).toString('hex')))
  const ownHeaders = Object.entries(OWN_HEADERS).map(([name, value]) => `${name}: ${value}\r\n`)
  closeGently(
    socket,
    `HTTP/1.1 ${portcullisError.statusCode} ${portcullisError.title}\r\nContent-Type: application/problem+json\r\n` +
      `${ownHeaders.join('')}Cache-Control: no-store\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
