import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Milliseconds } from '../clock.js'
import { writeHead } from './client-response.js'
import type { Upgrade } from './forward.js'
import { splice } from './splice.js'
import { isAccepted } from './websocket.js'

/** How long a client that got an ordinary answer has for reading it and closing. */
const LINGER: Milliseconds = 5000

/**
 * A WebSocket handshake, taken from Node's parser, and what comes of it: an ordinary answer, after which the connection
 * ends, or a tunnel to the upstream. What the client sends before that waits, and is dropped with the connection.
 */
export class Handshake implements Upgrade {
  readonly protocol = 'websocket'
  /** For whoever answers the request, as if it were any other. */
  readonly response: ServerResponse
  readonly #request: IncomingMessage
  readonly #client: Socket

  /** @param head What the client has sent behind the request. */
  constructor(request: IncomingMessage, head: Buffer) {
    this.#request = request
    const client = (this.#client = request.socket)
    client.unshift(head)
    // A connection that fails closes, and that is heard of. The server no longer looks after any of this.
    client.on('error', () => {})
    client.on('timeout', this.#onGone)
    client.on('readable', this.#onReadable)
    client.on('end', this.#onGone)
    client.on('drain', this.#onDrain)

    const response = (this.response = new ServerResponse(request))
    response.shouldKeepAlive = false
    response.assignSocket(client)
    response.once('finish', () => response.statusCode === 101 || this.#close())
  }

  open(upstream: Socket, headers: string[]): boolean {
    if (!isAccepted(this.#request, headers)) return false
    const kept = headers.filter((_, at) => headers[at - (at % 2)]!.toLowerCase() !== 'content-length')
    writeHead(this.response, 101, undefined, [...kept, 'Connection', 'Upgrade', 'Upgrade', 'websocket'])
    this.response.end()
    this.#client.off('readable', this.#onReadable)
    this.#client.off('end', this.#onGone)
    this.#client.off('drain', this.#onDrain)
    splice(this.#client, upstream)
    return true
  }

  /** So that a client which goes away while it waits is noticed. */
  #onReadable = (): void => {
    this.#client.read(0)
  }

  #onGone = (): void => {
    this.#client.destroy()
  }

  /** As the server does for other connections. */
  #onDrain = (): void => {
    this.response.emit('drain')
  }

  /** Closed while there is more to read, the connection would be reset, and the answer lost. */
  #close(): void {
    const client = this.#client
    this.response.detachSocket(client)
    this.response.emit('close')
    setTimeout(this.#onGone, LINGER).unref()
    client.off('readable', this.#onReadable)
    client.end()
    client.resume()
  }
}
