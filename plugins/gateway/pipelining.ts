import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Requests of one connection that may wait; who sends more without reading is cut. */
const MAX_WAITING = 100

const TURNS = Symbol('turns')
const DOOMED = Symbol('doomed')

interface Waiting {
  readonly response: ServerResponse
  readonly begin: () => void
}

interface Turns {
  /** The response that is worked on. */
  current: ServerResponse | undefined
  readonly waiting: Waiting[]
  /** `bytesRead` of the connection when it last became idle. */
  bytesRead: number
}

type WithTurns = Socket & { [TURNS]?: Turns; [DOOMED]?: true }

/**
 * Requests that a client sends without waiting for answers (pipelining) go one after another: together they would
 * take as many of an upstream's connections, and what isn't safe must not overtake (RFC 9112 §9.3.2). Our own routes
 * take turns, too: Node tells a response that stands in line behind another neither that its client has gone, nor
 * that it takes nothing. To be called before other hooks are added.
 *
 * While the server stops, the last response of those that a client has asked for says `Connection: close`.
 */
export function servePipelinedInOrder(app: FastifyInstance, stop: { readonly isDraining: boolean }): void {
  app.addHook('onRequest', (request, reply, done) => {
    const socket: WithTurns = request.raw.socket
    const turns = getTurns(socket)
    if (turns.current === undefined) {
      // After `Connection: close` nothing is processed any more (RFC 9112 §9.6).
      if (socket[DOOMED]) return
      turns.current = reply.raw
      if (stop.isDraining) announceClose(socket)
      return done()
    }
    if (turns.waiting.length >= MAX_WAITING) return void socket.destroy()
    if (stop.isDraining) keepForNext(socket, turns.current)
    // On a connection that is about to close it is answered by nobody.
    turns.waiting.push({ response: reply.raw, begin: () => socket[DOOMED] || done() })
  })
  // By now the next response has the connection.
  app.addHook('onResponse', (request, reply, done) => {
    const socket: WithTurns = request.raw.socket
    const turns = socket[TURNS]
    // It never had its turn.
    if (turns?.current !== reply.raw) return done()
    const next = turns.waiting.shift()
    turns.current = next?.response
    if (next) {
      // What the last answer was timed by.
      socket.setTimeout(0)
      if (stop.isDraining) announceClose(socket)
      next.begin()
    } else turns.bytesRead = socket.bytesRead
    done()
  })
}

/** An answer that is on its way closes the connection: what was sent behind its request is answered by nobody. */
export function abandonPipeline(socket: WithTurns): void {
  socket[DOOMED] = true
}

/** To be called when a connection is new: what comes on it from now on is part of a request. */
export function beginTurns(socket: Socket): void {
  getTurns(socket).bytesRead = socket.bytesRead
}

/** Returns true if no response is owed to the connection, and nothing of another request has come. */
export function isIdle(socket: Socket): boolean {
  const { current, bytesRead } = getTurns(socket)
  return current === undefined && socket.bytesRead === bytesRead
}

function getTurns(socket: WithTurns): Turns {
  return (socket[TURNS] ??= { current: undefined, waiting: [], bytesRead: 0 })
}

/** Lets the current response close the connection, unless its head has left or requests wait behind it. */
export function announceClose(socket: WithTurns): void {
  const turns = socket[TURNS]
  if (turns?.current === undefined || turns.waiting.length > 0) return
  if (!turns.current.headersSent) turns.current.shouldKeepAlive = false
}

/** Another request has come: the response before it must not close the connection, if it hasn't said so yet. */
function keepForNext(socket: Socket, current: ServerResponse): void {
  if (!current.headersSent) current.shouldKeepAlive = true
  else if (!current.shouldKeepAlive) abandonPipeline(socket)
}
