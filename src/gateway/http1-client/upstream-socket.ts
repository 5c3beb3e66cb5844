import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as tls from 'node:tls'
import { buildConnector } from 'undici'
import type { Milliseconds } from '../../clock.js'
import { CONNECT_TIMEOUT, UpstreamError } from './upstream-error.js'
import type { Connect } from './upstream-pool.js'

export interface ConnectorOptions {
  /** 0 = none. */
  readonly timeout: Milliseconds
  /** For https; undefined trusts what Node trusts. */
  readonly secureContext: tls.SecureContext | undefined
  /** Told of every connection that could not be made. */
  readonly onFailure?: (failure: UpstreamError) => void
}

/**
 * Connects to an upstream. Its certificate is checked against its own name or address, whatever the request's `Host`.
 */
export function upstreamConnector(
  { protocol, hostname, host, port }: URL,
  { timeout, secureContext, onFailure }: ConnectorOptions,
): Connect {
  const connect = buildConnector({ timeout, ...(secureContext && { secureContext }) })
  const name = hostname.replace(/^\[|\]$/g, '')
  // An address is no server name (RFC 6066 §3); without one the certificate is checked against the address.
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
