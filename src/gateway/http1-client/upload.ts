import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { RequestFraming } from '../header-rules.js'
import { UpstreamError } from './upstream-error.js'

/** The connection that an upload runs on. */
export interface UploadProgress {
  /** Returns false if the connection carries another request or is closed. */
  isWanted(): boolean
  /** Called after each write. */
  onWrite(): void
  /** Called when the whole request is written. */
  onSent(): void
  /** Called if the body is incomplete or longer than announced. */
  onFailure(error: UpstreamError): void
}

/**
 * Sends a request with a body, with backpressure. Sends the head together with the first piece of the body, so that no
 * server waits for a body that never arrives. If the first piece is there, it is sent before this function returns.
 */
export function upload(
  socket: Socket,
  { head, body, framing }: { head: string; body: Readable; framing: RequestFraming },
  progress: UploadProgress,
): void {
  const isChunked = framing.kind === 'chunked'
  let unsent = head
  let remaining = framing.kind === 'sized' ? framing.bytes : Number.POSITIVE_INFINITY
  const write = (...pieces: readonly (string | Buffer)[]) => {
    socket.cork()
    if (unsent !== '') socket.write(unsent, 'latin1')
    unsent = ''
    for (const piece of pieces) socket.write(piece, 'latin1')
    socket.uncork()
    progress.onWrite()
  }
  body.on('data', (piece: Buffer) => {
    if (!progress.isWanted()) return
    remaining -= piece.length
    if (remaining < 0) return progress.onFailure(new UpstreamError('broken', 'request_length'))
    if (isChunked) write(`${piece.length.toString(16)}\r\n`, piece, '\r\n')
    else write(piece)
    // `UpstreamConnection` resumes the body on 'drain'.
    if (socket.writableNeedDrain) body.pause()
  })
  body.on('end', () => {
    if (!progress.isWanted()) return
    if (!isChunked && remaining > 0) return progress.onFailure(new UpstreamError('broken', 'request_length'))
    progress.onSent()
    write(...(isChunked ? ['0\r\n\r\n'] : []))
  })
  // Without this error, the upstream would wait for the rest of the body.
  body.on('close', () => {
    if (progress.isWanted() && !body.readableEnded) {
      progress.onFailure(new UpstreamError('lost', 'request_cut'))
    }
  })
  body.read()
}
