import type { Socket } from 'node:net'

/** Requests of one connection that may wait; who sends more without reading an answer is cut. */
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
 * take as many of an upstream's connections, and what isn't safe must not overtake (RFC 9112 §9.3.2). Undefined: it
 * may go now.
 */
export function takeTurn(socket: WithTurns): Promise<void> | undefined {
  const turns = (socket[TURNS] ??= { isTaken: false, waiting: [] })
  if (!turns.isTaken) {
    turns.isTaken = true
    return undefined
  }
  if (turns.waiting.length >= MOST_WAITING) socket.destroy()
  return new Promise((resolve) => turns.waiting.push(resolve))
}

/** To be called once for each turn that was taken. */
export function endTurn(socket: WithTurns): void {
  const turns = socket[TURNS]!
  const next = turns.waiting.shift()
  if (next) next()
  else turns.isTaken = false
}

/** An answer that is on its way closes the connection: what was sent behind its request is answered by nobody. */
export function doom(socket: WithTurns): void {
  socket[DOOMED] = true
}

export function isDoomed(socket: WithTurns): boolean {
  return socket[DOOMED] === true
}
