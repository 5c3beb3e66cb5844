import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Requests of one connection that may wait; who sends more without reading is cut. */
const MOST_WAITING = 100

const TURNS = Symbol('turns')
const DOOMED = Symbol('doomed')

interface Turns {
  isTaken: boolean
  readonly waiting: (() => void)[]
}

type WithTurns = Socket & { [TURNS]?: Turns; [DOOMED]?: true }

/**
 * Requests that a client sends without waiting for answers (pipelining) go one after another: together they would
 * take as many of an upstream's connections, and what isn't safe must not overtake (RFC 9112 §9.3.2). Our own routes
 * take turns, too: Node tells a response that stands in line behind another neither that its client has gone, nor
 * that it takes nothing. To be called before other hooks are added.
 */
export function takeTurns(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const socket: WithTurns = request.raw.socket
    const turns = (socket[TURNS] ??= { isTaken: false, waiting: [] })
    if (!turns.isTaken) {
      turns.isTaken = true
      return done()
    }
    if (turns.waiting.length >= MOST_WAITING) return void socket.destroy()
    // On a connection that is about to close it is answered by nobody.
    turns.waiting.push(() => socket[DOOMED] || done())
  })
  // By now the next response has the connection.
  app.addHook('onResponse', (request, _reply, done) => {
    const { socket } = request.raw
    const turns = (socket as WithTurns)[TURNS]!
    const next = turns.waiting.shift()
    if (next) {
      // What the last answer was timed by.
      socket.setTimeout(0)
      next()
    } else turns.isTaken = false
    done()
  })
}

/** An answer that is on its way closes the connection: what was sent behind its request is answered by nobody. */
export function doom(socket: WithTurns): void {
  socket[DOOMED] = true
}
