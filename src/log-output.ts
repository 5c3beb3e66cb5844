import type { Milliseconds } from './clock.js'

/**
 * Writes to a file descriptor, and calls `done` with the number of bytes that were written, which may be fewer than
 * `bytes` has. It never blocks the event loop. `done` can be called before the function returns.
 */
export type Write = (
  bytes: Buffer,
  done: (error: NodeJS.ErrnoException | null, written: number) => void,
) => void

/** The bytes that are kept while nothing can be written. Later lines are dropped. */
const MAX_BUFFERED = 1024 * 1024
/** Writes of up to PIPE_BUF bytes (4 KiB on Linux) are atomic, so lines of several workers don't mix in one pipe. */
const MAX_WRITE = 4096
/** The delay before a failed write is repeated. It doubles with each failure in a row. */
const MIN_RETRY: Milliseconds = 5
const MAX_RETRY: Milliseconds = 500
const FLUSH_TIMEOUT: Milliseconds = 1_000

/**
 * The output of the log. A reader that is slow, a full disk or a closed pipe never blocks or ends the process: lines
 * wait in a bounded buffer, in order, and are dropped and counted when it is full. Each failed write is repeated.
 */
export class LogOutput {
  readonly #open: () => Write
  #write: Write | undefined
  #lines: Buffer[] = []
  /** The lines of the write in progress, without the bytes that are written. */
  #current: Buffer = Buffer.alloc(0)
  /** The bytes of `#lines` and `#current`. */
  #size = 0
  #isWriting = false
  #retry: NodeJS.Timeout | undefined
  #failuresInARow = 0
  #dropped = 0
  #droppedSinceReport = 0
  #onIdle: (() => void)[] = []
  #onRecovery: (droppedLines: number) => void = () => {}

  /** @param open opens the output at the first line */
  constructor(open: () => Write) {
    this.#open = open
  }

  /** The number of lines that were dropped. */
  get dropped(): number {
    return this.#dropped
  }

  /** Sets the function that logs, after lines were dropped, how many. It is called when lines are accepted again. */
  reportDropped(onRecovery: (droppedLines: number) => void): void {
    this.#onRecovery = onRecovery
  }

  /** Writes a line, or keeps it until it can be written. */
  write(line: string): void {
    const bytes = Buffer.from(line)
    if (this.#droppedSinceReport > 0 || this.#size + bytes.length > MAX_BUFFERED) {
      this.#dropped += 1
      this.#droppedSinceReport += 1
      return
    }
    this.#lines.push(bytes)
    this.#size += bytes.length
    if (!this.#isWriting && this.#retry === undefined) this.#writeNext()
  }

  /** Resolves when all lines are written, or after `timeout` with the lines that could not be written still here. */
  flush(timeout: Milliseconds = FLUSH_TIMEOUT): Promise<void> {
    if (this.#retry !== undefined) this.#writeNext()
    if (this.#size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout)
      this.#onIdle.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  #writeNext(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    if (this.#current.length === 0) this.#current = this.#takeLines()
    this.#isWriting = true
    this.#write ??= this.#open()
    this.#write(this.#current, (error, written) => {
      this.#isWriting = false
      if (error) return this.#retryLater()
      this.#failuresInARow = 0
      this.#current = this.#current.subarray(written)
      this.#size -= written
      // Some room is needed, or a report would follow every few lines while the reader is slow.
      if (this.#droppedSinceReport > 0 && this.#size <= MAX_BUFFERED / 2) this.#report()
      if (this.#size > 0) {
        if (!this.#isWriting) this.#writeNext()
      } else this.#onIdle.splice(0).forEach((resolve) => resolve())
    })
  }

  #report(): void {
    const dropped = this.#droppedSinceReport
    this.#droppedSinceReport = 0
    this.#onRecovery(dropped)
  }

  #retryLater(): void {
    const delay = Math.min(MAX_RETRY, MIN_RETRY * 2 ** this.#failuresInARow)
    this.#failuresInARow += 1
    this.#retry = setTimeout(() => this.#writeNext(), delay)
    // Lines that can't be written don't keep the process alive.
    this.#retry.unref()
  }

  /** Takes as many whole lines as one write may have. A longer line is written alone. */
  #takeLines(): Buffer {
    let [count, size] = [0, 0]
    while (count < this.#lines.length) {
      size += this.#lines[count]!.length
      if (count > 0 && size > MAX_WRITE) break
      count += 1
    }
    const taken = this.#lines.splice(0, count)
    return taken.length === 1 ? taken[0]! : Buffer.concat(taken)
  }
}
