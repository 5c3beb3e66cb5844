import { ServerResponse } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Milliseconds } from '../clock.js'
import { writeHead } from './client-response.js'
import type { Upgrade } from './forward.js'
import { splice } from './splice.js'
import { isAccepted } from './websocket-handshake.js'

/** Time in which a client that received an ordinary response must read it and close. */
const LINGER: Milliseconds = 5000

/**
 * A WebSocket handshake from Node's 'upgrade' event. It leads to a tunnel to the upstream, or to an ordinary response,
 * after which the connection is closed. Early data of the client waits for the tunnel, or is dropped with the
 * connection.
 */
export class Handshake implements Upgrade {
  readonly protocol = 'websocket'
  /** A response object for the request, to be used as in any other request. */
  readonly response: ServerResponse
  readonly #request: IncomingMessage
  readonly #client: Socket

  /** @param head Data that the client has sent after the request head. */
  constructor(request: IncomingMessage, head: Buffer) {
    this.#request = request
    const client = (this.#client = request.socket)
    client.unshift(head)
    // The HTTP server no longer handles the events of this socket. The 'close' event follows an error, and is handled.
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

  /** Keeps the stream reading, because Node detects a disconnect only then. */
  #onReadable = (): void => {
    this.#client.read(0)
  }

  #onGone = (): void => {
    this.#client.destroy()
  }

  /** Emits 'drain' on the response. For other connections, the HTTP server does this. */
  #onDrain = (): void => {
    this.response.emit('drain')
  }

  /**
   * Closes the connection after an ordinary response. Reads on for 5 s, because unread data would reset the
   * connection.
   */
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
