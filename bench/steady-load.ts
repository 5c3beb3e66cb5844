/** Sends requests at a steady rate, and counts failures. No request is sent twice. */
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Dispatcher } from 'undici'

export interface Load {
  readonly name: string
  readonly sent: number
  readonly failures: readonly string[]
  start(): void
  /** Stops. Resolves when every request has a response or has failed. */
  stop(): Promise<void>
}

interface SteadyLoadOptions {
  readonly name: string
  readonly url: string
  readonly token: string
  /** Requests per second. */
  readonly rate: number
  readonly dispatcher: Dispatcher
}

/** A load that doesn't wait for earlier responses. Every fourth request is a POST, the others are GETs. */
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
    const one = this.#request(this.#sent % 4 === 0).finally(() => this.#open.delete(one))
    this.#open.add(one)
  }

  async #request(isPost: boolean): Promise<void> {
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

/** The number of connections per gateway. Each is kept as long as the gateway keeps it. */
const CLIENTS = 10

/**
 * Clients that connect to the gateways directly. They reconnect if a connection is refused or ends while idle. A request
 * that was sent but has no response counts as failed.
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
      const text = await connection.request(
        `GET /x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      )
      if (!text.startsWith('HTTP/1.1 200 ') || !text.endsWith(LAST_CHUNKS)) {
        this.failures.push(`${connection.end ?? 'response'}: ${text.slice(0, 100)}`)
        break
      }
      if (/^connection: close\r$/im.test(text)) break
      // A random pause, so that requests are spread evenly over time.
      await sleep(pause * 2 * Math.random())
    }
    connection.close()
    await sleep(20)
  }
}

/** The response body of the upstream of `startUpstream`. */
const ANSWER = 'from the upstream'
/** The end of that response on the wire: one chunk, and the last chunk. */
const LAST_CHUNKS = `${ANSWER}\r\n0\r\n\r\n`

class KeptConnection {
  readonly #socket: net.Socket
  readonly opened: Promise<void>
  /** How the other side ended the connection. `undefined` while it is open. */
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

  /** Sends a request. Returns the received text when the response is complete, or the connection has ended. */
  async request(head: string): Promise<string> {
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
