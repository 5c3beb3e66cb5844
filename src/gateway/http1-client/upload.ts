import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { RequestFraming } from '../header-rules.js'
import { UpstreamError } from './upstream-error.js'

export interface UploadProgress {
  /** Says false once the connection has another request, or is gone. */
  isWanted(): boolean
  /** Something was written. */
  onWrite(): void
  /** All of it was. */
  onSent(): void
  onTrouble(error: UpstreamError): void
}

/**
 * Sends a request with a body, no faster than the upstream takes it. The head goes with what comes of the body first:
 * one whose body never comes keeps no server waiting.
 */
export function upload(
  socket: Socket,
  { head, body, framing }: { head: string; body: Readable; framing: RequestFraming },
  progress: UploadProgress,
): void {
  const isChunked = framing.kind === 'chunked'
  let unsent = head
  let left = framing.kind === 'sized' ? framing.bytes : Number.POSITIVE_INFINITY
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
    left -= piece.length
    if (left < 0) return progress.onTrouble(new UpstreamError('broken', 'request_length'))
    if (isChunked) write(`${piece.length.toString(16)}\r\n`, piece, '\r\n')
    else write(piece)
    // The connection resumes it.
    if (socket.writableNeedDrain) body.pause()
  })
  body.on('end', () => {
    if (!progress.isWanted()) return
    if (!isChunked && left > 0) return progress.onTrouble(new UpstreamError('broken', 'request_length'))
    progress.onSent()
    write(...(isChunked ? ['0\r\n\r\n'] : []))
  })
  // The upstream would wait for the rest.
  body.on('close', () => {
    if (progress.isWanted() && !body.readableEnded) {
      progress.onTrouble(new UpstreamError('lost', 'request_cut'))
    }
  })
}
