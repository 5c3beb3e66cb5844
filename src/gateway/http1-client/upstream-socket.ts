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
  /** TLS context for `https`. If `undefined`, the CAs that Node trusts. */
  readonly secureContext: tls.SecureContext | undefined
  /** Called for each connection that could not be made. */
  readonly onFailure?: (failure: UpstreamError) => void
}

/**
 * Creates a function that connects to an upstream server. The server's certificate is verified for the host of this
 * URL, independent of the `Host` of a request.
 */
export function upstreamConnector(
  { protocol, hostname, host, port }: URL,
  { timeout, secureContext, onFailure }: ConnectorOptions,
): Connect {
  const connect = buildConnector({ timeout, ...(secureContext && { secureContext }) })
  const name = hostname.replace(/^\[|\]$/g, '')
  // An IP address isn't allowed as a server name (RFC 6066 §3). Without one, TLS verifies the certificate for the
  // address.
  const peer = { protocol, host, hostname: name, port, servername: isIP(name) === 0 ? name : '' }
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

/**
 * Creates a TLS context that trusts these CAs in addition to the CAs that Node trusts.
 *
 * @param ca One or more certificates in PEM.
 * @throws Error if there is no certificate in `ca`, or if one can't be parsed.
 */
export function trusting(ca: string): tls.SecureContext {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] }
  // Node 20 has no API that returns the CAs of NODE_EXTRA_CA_CERTS. They are then not trusted here.
  const defaults = getCACertificates?.('default') ?? tls.rootCertificates
  const added = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (!added) throw new Error('There is no CA certificate in PEM form (-----BEGIN CERTIFICATE-----).')
  // OpenSSL silently ignores a certificate that it can't parse. `X509Certificate` throws an error.
  for (const certificate of added) void new X509Certificate(certificate)
  return tls.createSecureContext({ ca: [...defaults, ...added] })
}
