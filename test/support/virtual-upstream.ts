/** An upstream in this process, on connections in memory. It follows generated exchanges. */
import { Duplex } from 'node:stream'
import type { GeneratedExchange } from './generated-exchanges.js'

/** Waits for turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await new Promise((resolve) => setImmediate(resolve))
}

/** The client's end of a connection, with the methods of `net.Socket` that HTTP clients call. */
export class VirtualSocket extends Duplex {
  readonly #onBytes: (text: string) => void

  constructor(onBytes: (text: string) => void) {
    super({ allowHalfOpen: false })
    this.#onBytes = onBytes
    this.on('error', () => {})
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#onBytes(chunk.toString('latin1'))
    done()
  }

  /** Sends data to the client, or `null` to end the connection. Has no effect on a connection that is closed. */
  send(text: string | null): void {
    if (this.destroyed || this.readableEnded) return
    this.push(text === null ? null : Buffer.from(text, 'latin1'))
  }

  setKeepAlive = (): this => this
  setNoDelay = (): this => this
  setTimeout = (): this => this
  ref = (): this => this
  unref = (): this => this
  resetAndDestroy = (): this => this.destroy()
}

/** The upstream. Counts the data that it has sent to no request. */
export class VirtualUpstream {
  readonly #exchanges: ReadonlyMap<string, GeneratedExchange>
  connections = 0
  mistakes = 0

  constructor(exchanges: readonly GeneratedExchange[]) {
    this.#exchanges = new Map(exchanges.map((exchange) => [exchange.id, exchange]))
  }

  connect(): VirtualSocket {
    this.connections += 1
    let received = ''
    let isBusy = false
    let isClosing = false
    const socket: VirtualSocket = new VirtualSocket((text) => {
      received += text
      if (!isBusy) void serve()
    })
    const serve = async () => {
      isBusy = true
      for (let read; !isClosing && (read = readRequest(received)) !== undefined;) {
        const exchange = this.#exchanges.get(read.id)!
        const ignoresBody = exchange.mistake === 'ignored-body'
        if (!ignoresBody && received.length < read.end) break
        received = received.slice(read.end)
        const isLast = exchange.isUntilClose || exchange.mistake === 'missing' || ignoresBody
        isClosing = isLast || read.closes
        await this.#respond(exchange, socket, { hasNext: () => received !== '', closes: read.closes })
        if (isLast) socket.send(null)
      }
      isBusy = false
    }
    return socket
  }

  async #respond(
    { pieces, mistake, mistakeAfter, junk, hasStrayLineEnd, isUntilClose }: GeneratedExchange,
    socket: VirtualSocket,
    { hasNext, closes }: { hasNext: () => boolean; closes: boolean },
  ): Promise<void> {
    for (const [at, { text, wait }] of pieces.entries()) {
      await turns(wait)
      const isLast = at === pieces.length - 1
      socket.send(isLast && hasStrayLineEnd ? `${text}\r\n` : text)
    }
    if (mistake === 'missing') this.mistakes += 1
    if (mistake === undefined || mistake === 'missing' || isUntilClose) return turns(mistakeAfter)
    // A body that comes late is sent even after the next request has arrived.
    if (mistake === 'late-body') return void turns(mistakeAfter).then(() => this.#sendJunk(socket, junk))
    await turns(mistakeAfter)
    if (mistake === 'ignored-body') return closes ? undefined : this.#sendJunk(socket, junk)
    // No client could distinguish this data from the response to a request that it has sent before.
    if (!hasNext()) this.#sendJunk(socket, junk)
  }

  #sendJunk(socket: VirtualSocket, junk: string): void {
    this.mistakes += 1
    socket.send(junk)
  }
}

/** Finds the first request. `end` is the offset behind its body. */
function readRequest(text: string): { id: string; end: number; closes: boolean } | undefined {
  const head = /^[A-Z]+ \/(r\d+) HTTP\/1\.1\r\n[^]*?\r\n\r\n/.exec(text)
  if (!head) return undefined
  const start = head[0].length
  const closes = /\r\nconnection: *close/i.test(head[0])
  const length = /\r\ncontent-length: *(\d+)/i.exec(head[0])?.[1]
  const isChunked = /\r\ntransfer-encoding: *chunked/i.test(head[0])
  const last = text.indexOf('0\r\n\r\n', start)
  const endOfChunks = last === -1 ? Number.POSITIVE_INFINITY : last + 5
  return { id: head[1]!, end: isChunked ? endOfChunks : start + Number(length ?? 0), closes }
}
