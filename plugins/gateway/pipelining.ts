import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * The maximum number of requests that may wait on one connection. Nothing is read while a request waits, so only the
 * requests that arrive together can be that many. A client that sends more is disconnected.
 */
const MAX_WAITING = 100

const PIPELINE = Symbol('pipeline')
/** Set on a socket that will be closed. Further requests on it are dropped. */
const ABANDONED = Symbol('abandoned')

/** A request that waits for the responses before it. */
interface WaitingRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** The requests of one connection that have no complete response yet. */
interface Pipeline {
  /** The response in progress. */
  current: ServerResponse | undefined
  readonly waiting: WaitingRequest[]
  /** `bytesRead` of the connection when it last became idle. */
  bytesRead: number
}

type PipelinedSocket = Socket & { [PIPELINE]?: Pipeline; [ABANDONED]?: true }

/**
 * Serves the pipelined requests of each connection one after another. If they ran concurrently, one client could take
 * many connections of an upstream, and unsafe requests could overtake each other (RFC 9112 §9.3.2).
 *
 * Requests to our own routes are serialized, too. Node doesn't report a disconnect or backpressure to a response that
 * waits behind another one. A waiting request hasn't reached Fastify yet, because its objects there take more memory than
 * the request. Nothing is read from the client meanwhile, so a disconnect of such a client is noticed later.
 *
 * While the server stops, the last response to a client's pipelined requests has `Connection: close`.
 */
export function servePipelinedInOrder(app: FastifyInstance, stop: { readonly isDraining: boolean }): void {
  const { server } = app
  const listeners = server.listeners('request')
  const start = (request: IncomingMessage, response: ServerResponse) => {
    const socket: PipelinedSocket = request.socket
    // After `Connection: close`, no further request is processed (RFC 9112 §9.6).
    if (socket[ABANDONED]) return
    if (stop.isDraining) announceClose(socket)
    for (const listener of listeners) listener.call(server, request, response)
  }
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const socket: PipelinedSocket = request.socket
    const pipeline = getPipeline(socket)
    if (pipeline.current === undefined) {
      if (!socket[ABANDONED]) pipeline.current = response
      return start(request, response)
    }
    if (pipeline.waiting.length >= MAX_WAITING) return void socket.destroy()
    if (stop.isDraining) keepForNext(socket, pipeline.current)
    pipeline.waiting.push({ request, response })
    holdReading(socket)
  })
  // When `onResponse` runs, Node has assigned the connection to the next response.
  app.addHook('onResponse', (request, reply, done) => {
    const socket: PipelinedSocket = request.raw.socket
    const pipeline = socket[PIPELINE]
    // This response belongs to a request that was never started.
    if (pipeline?.current !== reply.raw) return done()
    const next = pipeline.waiting.shift()
    pipeline.current = next?.response
    if (pipeline.waiting.length === 0) releaseReading(socket)
    if (next) {
      // The timeout of the previous response must not apply to the next one.
      socket.setTimeout(0)
      start(next.request, next.response)
    } else pipeline.bytesRead = socket.bytesRead
    done()
  })
}

/** Stops reading. Node and the response in progress would resume the socket, so its `resume` has no effect meanwhile. */
function holdReading(socket: Socket): void {
  socket.pause()
  socket.resume = () => socket
}

function releaseReading(socket: Socket): void {
  if (!Object.hasOwn(socket, 'resume')) return
  Reflect.deleteProperty(socket, 'resume')
  socket.resume()
}

/** Drops all further requests of a connection, because the response in progress closes it. */
export function abandonPipeline(socket: PipelinedSocket): void {
  socket[ABANDONED] = true
}

/** Starts to track a new connection. Bytes that arrive from now on belong to a request. */
export function trackPipeline(socket: Socket): void {
  getPipeline(socket).bytesRead = socket.bytesRead
}

/** Returns true if the connection has no open response, and no byte of another request has arrived. */
export function isIdle(socket: Socket): boolean {
  const { current, bytesRead } = getPipeline(socket)
  return current === undefined && socket.bytesRead === bytesRead
}

/** Returns true if a request of the connection has no complete response yet. */
export function isServing(socket: PipelinedSocket): boolean {
  return socket[PIPELINE]?.current !== undefined
}

/** Returns true if the request in progress hasn't completely arrived. */
export function isReceiving(socket: PipelinedSocket): boolean {
  return socket[PIPELINE]?.current?.req.complete === false
}

function getPipeline(socket: PipelinedSocket): Pipeline {
  return (socket[PIPELINE] ??= { current: undefined, waiting: [], bytesRead: 0 })
}

/** Makes the current response close the connection, unless its head was sent or other requests wait behind it. */
export function announceClose(socket: PipelinedSocket): void {
  const pipeline = socket[PIPELINE]
  if (pipeline?.current === undefined || pipeline.waiting.length > 0) return
  if (!pipeline.current.headersSent) pipeline.current.shouldKeepAlive = false
}

/**
 * Keeps the connection open for a request that has arrived behind the current response. If the head with
 * `Connection: close` was already sent, the request is dropped.
 */
function keepForNext(socket: Socket, current: ServerResponse): void {
  if (!current.headersSent) current.shouldKeepAlive = true
  else if (!current.shouldKeepAlive) abandonPipeline(socket)
}
