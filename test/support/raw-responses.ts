/** Reads bytes as an upstream's answer, without a connection. */
import { ResponseParser } from '../../src/gateway/http1-client/response-parser.js'
import { UpstreamError } from '../../src/gateway/http1-client/upstream-error.js'

export interface Read {
  readonly status: number
  readonly reason: string
  readonly headers: readonly string[]
  readonly interim: readonly number[]
  readonly body: string
  readonly trailers: readonly string[]
  /** It came to its end. */
  readonly isWhole: boolean
  /** Its connection may be used again. */
  readonly isReusable: boolean
  /** How many pieces it took. */
  readonly used: number
  /** Why it is none. */
  readonly error: string | undefined
}

/**
 * @param pieces Latin-1, one after the other.
 * @param ends The connection ends after them.
 */
export function read(
  pieces: readonly string[],
  {
    method = 'GET',
    upgrade = false,
    ends = false,
  }: { method?: string; upgrade?: boolean; ends?: boolean } = {},
): Read {
  const seen = {
    status: 0,
    reason: '',
    headers: [] as string[],
    interim: [] as number[],
    body: '',
    trailers: [] as string[],
    isWhole: false,
  }
  const parser = new ResponseParser({
    onInterim: ({ status }) => void seen.interim.push(status),
    onHead({ status, reason, headers }) {
      Object.assign(seen, { status, reason, headers })
    },
    onData: (piece) => void (seen.body += piece.toString('latin1')),
    onEnd(trailers) {
      Object.assign(seen, { trailers, isWhole: true })
    },
    onUpgrade({ status }, rest) {
      Object.assign(seen, { status, body: rest.toString('latin1'), isWhole: true })
    },
  })
  parser.expect({ isHead: method === 'HEAD', isUpgrade: upgrade })
  let error: string | undefined
  let used = 0
  try {
    for (const piece of pieces) {
      if (!seen.isWhole) used += 1
      parser.read(Buffer.from(piece, 'latin1'))
    }
    if (ends) parser.close()
  } catch (thrown) {
    if (!(thrown instanceof UpstreamError)) throw thrown
    error = thrown.reason
  }
  return { ...seen, isReusable: parser.isReusable, used, error }
}
