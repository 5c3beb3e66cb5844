import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as tls from 'node:tls'
import { buildConnector } from 'undici'
import type { Milliseconds } from '../../clock.js'
import { CONNECT_TIMEOUT, UpstreamError } from './upstream-error.js'
import type { Connect } from './upstream-pool.js'

/** Options for connections to one upstream server. */
export interface ConnectorOptions {
  /** Connect timeout. 0 disables it. */
  readonly timeout: Milliseconds
  /** TLS context for `https`. If `undefined`, Node's default context is used, with the CAs that Node trusts. */
  readonly secureContext: tls.SecureContext | undefined
  /** The name that is sent as SNI, and that the certificate must contain. If `undefined`, the host of the origin. */
  readonly servername?: string | undefined
  /** Called for each attempt to connect that fails. */
  readonly onFailure?: (failure: UpstreamError) => void
}

const UNIX = 'unix://'

/** Returns the path of the Unix socket that the origin of an upstream server names, or `undefined` for TCP. */
function getSocketPath(origin: string): string | undefined {
  return origin.startsWith(UNIX) ? origin.slice(UNIX.length) : undefined
}

/** Returns the `Host` for an upstream server. A Unix socket has no host name, so it gets `localhost`, as in curl. */
export function getHost(origin: string): string {
  return getSocketPath(origin) === undefined ? new URL(origin).host : 'localhost'
}

/**
 * Creates a function that connects to an upstream server. The server's certificate is verified for the host of this
 * origin or for `servername`, independent of the `Host` of a request.
 *
 * @param origin An `http` or `https` origin, or `unix://` and the path of a socket.
 */
export function upstreamConnector(
  origin: string,
  { timeout, secureContext, servername, onFailure }: ConnectorOptions,
): Connect {
  const socketPath = getSocketPath(origin)
  const connect = buildConnector({
    timeout,
    ...(secureContext && { secureContext }),
    ...(socketPath !== undefined && { socketPath }),
  })
  const { protocol, hostname, host, port } = new URL(socketPath === undefined ? origin : 'http://localhost')
  const name = hostname.replace(/^\[|\]$/g, '')
  // An IP address isn't allowed as a server name (RFC 6066 §3). If no server name is sent, Node verifies the
  // certificate for the address.
  const peer = {
    protocol,
    host,
    hostname: name,
    port,
    servername: servername ?? (isIP(name) === 0 ? name : ''),
  }
  return (done) => {
    connect(peer, (error, socket) => {
      if (!error) return done(null, socket)
      const { code = error.name } = error as NodeJS.ErrnoException
      const isLate = code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT'
      const failure = new UpstreamError('unreachable', isLate ? CONNECT_TIMEOUT : code, error)
      onFailure?.(failure)
      done(failure, null)
    })
  }
}

/** The TLS files for connections to upstreams, in PEM. */
export interface UpstreamTls {
  /** One or more CA certificates to trust in addition to the CAs that Node trusts. See `withDefaults` for Node 20. */
  readonly ca?: string
  /** The client certificate and its key, for servers that require a client certificate. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
}

/**
 * Creates the TLS context for all upstreams. Returns `undefined` without `ca` and `cert`: Node's default context is
 * enough then.
 *
 * @throws Error if `ca` contains no certificate, or one that can't be parsed, or if `cert` and `key` can't be used.
 */
export function createUpstreamContext({ ca, cert, key }: UpstreamTls): tls.SecureContext | undefined {
  if (ca === undefined && cert === undefined) return undefined
  return tls.createSecureContext({
    ...(ca !== undefined && { ca: withDefaults(ca) }),
    ...(cert !== undefined && { cert, key }),
  })
}

/** Returns the CAs that Node trusts, together with those in `ca`. */
function withDefaults(ca: string): string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] }
  // Node 20 has no API that returns the CAs of NODE_EXTRA_CA_CERTS. On Node 20, upstreams with `ca` don't trust them.
  const defaults = getCACertificates?.('default') ?? tls.rootCertificates
  const added = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (!added) throw new Error('There is no CA certificate in PEM form (-----BEGIN CERTIFICATE-----).')
  // OpenSSL silently ignores a certificate that it can't parse. `X509Certificate` throws an error.
  for (const certificate of added) void new X509Certificate(certificate)
  return [...defaults, ...added]
}
