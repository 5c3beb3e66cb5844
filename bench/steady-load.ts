/** Requests at a steady rate, and what became of them. Nothing is sent again. */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Dispatcher } from 'undici'

export interface Load {
  readonly name: string
  readonly sent: number
  readonly failures: readonly string[]
  start(): void
  /** Resolves when all that was sent is answered. */
  stop(): Promise<void>
}

interface SteadyLoadOptions {
  readonly name: string
  readonly url: string
  readonly token: string
  /** A second. */
  readonly rate: number
  readonly dispatcher: Dispatcher
}

/** Sends at its times, whether earlier requests were answered or not: three of four GET, the fourth POST. */
export class SteadyLoad implements Load {
  readonly name: string
  readonly failures: string[] = []
  readonly #options: SteadyLoadOptions
  readonly #open = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #begin = 0
  #sent = 0

  constructor(options: SteadyLoadOptions) {
    this.#options = options
    this.name = options.name
  }

  get sent(): number {
    return this.#sent
  }

  start(): void {
    this.#begin = performance.now()
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#begin) / 1000) * this.#options.rate
      while (this.#sent < due) this.#send()
    }, 5)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    await this.#options.dispatcher.close()
  }

  #send(): void {
    this.#sent += 1
    const one = this.#ask(this.#sent % 4 === 0).finally(() => this.#open.delete(one))
    this.#open.add(one)
  }

  async #ask(isPost: boolean): Promise<void> {
    const { url, token, dispatcher } = this.#options
    const method = isPost ? 'POST' : 'GET'
    try {
      const response = await request(`${url}/x`, {
        method,
        headers: { authorization: `Bearer ${token}` },
        body: isPost ? 'a body' : null,
        dispatcher,
        headersTimeout: 20_000,
      })
      const text = await response.body.text()
      if (response.statusCode !== 200 || text !== ANSWER) {
        this.failures.push(`${method}: ${response.statusCode} ${text.slice(0, 400)}`)
      }
    } catch (error) {
      this.failures.push(`${method}: ${(error as Error).message}`)
    }
  }
}

/** One connection to each gateway for each of `CLIENTS`, kept while the gateway keeps it. */
const CLIENTS = 10

/**
 * Clients of the gateways themselves. A connection that ends without a request is made again, and one that is refused
 * is tried again; a request that was written and not answered has failed.
 */
export class KeptClients implements Load {
  readonly name = 'direct'
  readonly failures: string[] = []
  readonly #options: { readonly ports: readonly number[]; readonly token: string; readonly rate: number }
  #loops: Promise<void>[] = []
  #isRunning = false
  #sent = 0

  constructor(options: { ports: readonly number[]; token: string; rate: number }) {
    this.#options = options
  }

  get sent(): number {
    return this.#sent
  }

  start(): void {
    this.#isRunning = true
    this.#loops = this.#options.ports.flatMap((port) =>
      Array.from({ length: CLIENTS }, async () => {
        while (this.#isRunning) await this.#keep(port)
      }),
    )
  }

  async stop(): Promise<void> {
    this.#isRunning = false
    await Promise.all(this.#loops)
  }

  /** Uses a connection until it ends. */
  async #keep(port: number): Promise<void> {
    const { token, rate, ports } = this.#options
    const pause = (1000 * CLIENTS * ports.length) / rate
    const connection = new KeptConnection(port)
    await connection.opened
    while (this.#isRunning && connection.end === undefined) {
      this.#sent += 1
      const text = await connection.ask(
        `GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      )
      if (!text.startsWith('HTTP/1.1 200 ') || !text.endsWith(LAST_CHUNKS)) {
        this.failures.push(`${connection.end ?? 'answered'}: ${text.slice(0, 100)}`)
        break
      }
      if (/^connection: close\r$/im.test(text)) break
      // Any moment is as good as any other.
      await sleep(pause * 2 * Math.random())
    }
    connection.close()
    await sleep(20)
  }
}

/** What the upstream of `startUpstream` says. */
const ANSWER = 'from the upstream'
/** The same as it ends on the wire: one chunk, and the last. */
const LAST_CHUNKS = `${ANSWER}\r\n0\r\n\r\n`

class KeptConnection {
  readonly #socket: net.Socket
  readonly opened: Promise<void>
  /** How the other side has ended it. */
  end: string | undefined
  #text = ''
  #onChange = (): void => {}

  constructor(port: number) {
    const socket = (this.#socket = net.connect(port, '127.0.0.1'))
    socket.on('data', (piece) => {
      this.#text += String(piece)
      this.#onChange()
    })
    const ended = (how: string) => {
      this.end ??= how
      this.#onChange()
    }
    socket.on('end', () => ended('closed'))
    socket.on('error', (error: NodeJS.ErrnoException) => ended(error.code ?? 'error'))
    this.opened = new Promise((resolve) => {
      socket.once('connect', resolve)
      socket.once('close', () => resolve())
    })
  }

  /** Gives what has come when the response is whole, or the connection has ended. */
  async ask(head: string): Promise<string> {
    this.#text = ''
    this.#socket.write(head)
    while (!this.#text.endsWith(LAST_CHUNKS) && this.end === undefined) {
      await new Promise<void>((resolve) => (this.#onChange = resolve))
    }
    return this.#text
  }

  close(): void {
    this.#socket.destroy()
  }
}
