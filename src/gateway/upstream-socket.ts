import { X509Certificate } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import * as tls from 'node:tls'
import { buildConnector } from 'undici'
import type { Milliseconds } from '../clock.js'

/** No connection could be made: nothing was sent. */
export class ConnectFailure extends Error {
  override readonly name = 'ConnectFailure'
  /** A code of the system, of TLS or of undici. Not called `code`, as undici treats some codes in a way of its own. */
  readonly reason: string

  constructor(cause: Error) {
    super('no connection to the upstream', { cause })
    this.reason = (cause as NodeJS.ErrnoException).code ?? cause.name
  }
}

export interface ConnectorOptions {
  /** 0 = none. */
  readonly timeout: Milliseconds
  /** For https; undefined trusts what Node trusts. */
  readonly secureContext: tls.SecureContext | undefined
  /** Told of every connection that could not be made. */
  readonly onFailure?: (failure: ConnectFailure) => void
}

/**
 * Connects to upstreams, and puts right some things in which undici's HTTP/1.1 client departs from RFC 9110 and 9112, so
 * that old servers work and broken answers show. A certificate is checked against the upstream's own name or address,
 * whatever the request's `Host`.
 */
export function upstreamConnector({
  timeout,
  secureContext,
  onFailure,
}: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({ timeout, ...(secureContext && { secureContext }) })
  return (options, callback) => {
    const name = options.hostname
    // An address is no server name (RFC 6066 §3); without one the certificate is checked against the address.
    const peer = { ...options, servername: isIP(name) === 0 ? name : '' }
    connect(peer, (error, socket) => {
      if (error) {
        const failure = new ConnectFailure(error)
        onFailure?.(failure)
        return callback(failure, null)
      }
      tellResetFromEnd(socket)
      dropUnaskedContinue(socket)
      callback(null, socket)
    })
  }
}

/**
 * Trusts the CAs given besides those that Node trusts.
 *
 * @param ca PEM, one or more.
 * @throws where there is no certificate in it, or one that can't be read
 */
export function trusting(ca: string): tls.SecureContext {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] }
  // Node 20 has no way to ask for those of NODE_EXTRA_CA_CERTS.
  const known = getCACertificates?.('default') ?? tls.rootCertificates
  const added = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (!added) throw new Error('no CA certificate in PEM (-----BEGIN CERTIFICATE-----)')
  // OpenSSL passes over what it can't read.
  for (const one of added) void new X509Certificate(one)
  return tls.createSecureContext({ ca: [...known, ...added] })
}

/** The code that a connection reset by the upstream gets. */
export const UPSTREAM_RESET = 'UPSTREAM_RESET'

/**
 * Where an answer lasts until the connection closes, undici takes ECONNRESET for that end: half an answer would look
 * whole. Under another code it is an error like others.
 */
function tellResetFromEnd(socket: Socket): void {
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNRESET') error.code = UPSTREAM_RESET
  })
}

const CONTINUE = /^HTTP\/1\.[01] 100(?: |\r)/
const CONTINUE_BEGUN = 'HTTP/1.1 100 '
const LONGEST_HEAD = 16_384

/**
 * A server may send `100 Continue` unasked, and a client must bear it (RFC 9110 §15.2); undici closes the connection. So
 * it never sees one: between a request's head and the answer's, such heads are taken out of what the socket reads.
 */
function dropUnaskedContinue(socket: Socket): void {
  const { write, read } = socket
  let awaitsHead = false
  let held: Buffer | undefined

  socket.write = function (this: Socket, ...args: unknown[]) {
    const data = args[0]
    // undici writes heads as strings, bodies as buffers, and what frames a chunk as strings that begin with CR.
    if (typeof data === 'string' && data.charCodeAt(0) !== 0x0d) awaitsHead = true
    return Reflect.apply(write, this, args) as boolean
  } as typeof socket.write

  socket.read = function (this: Socket, size?: number): unknown {
    const chunk = read.call(this, size) as Buffer | null
    if (!awaitsHead || chunk === null || size === 0) return chunk
    let data = held === undefined ? chunk : Buffer.concat([held, chunk])
    held = undefined
    while (data.length > 0) {
      const start = data.toString('latin1', 0, CONTINUE_BEGUN.length)
      const isContinue = CONTINUE.test(start)
      const end = isContinue ? data.indexOf('\r\n\r\n') : -1
      if (end !== -1) {
        data = data.subarray(end + 4)
      } else if ((isContinue || mayBecomeContinue(start)) && data.length < LONGEST_HEAD) {
        held = data
        return null
      } else {
        awaitsHead = false
        return data
      }
    }
    return null
  } as typeof socket.read
}

function mayBecomeContinue(start: string): boolean {
  return (
    start.length < CONTINUE_BEGUN.length && CONTINUE_BEGUN.startsWith(start.replace('HTTP/1.0', 'HTTP/1.1'))
  )
}
