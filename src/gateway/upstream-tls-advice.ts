import { explainTlsFailure } from '../tls-failure.js'
import type { TlsAdvice } from '../tls-failure.js'

const ADVICE: TlsAdvice = {
  ca: 'set upstreams.ca to a file with its CA',
  name: 'write that name in routes[].upstream, or set upstreams.servername to it',
  cert: 'set upstreams.cert and upstreams.key',
  plain: 'write http:// in routes[].upstream',
}

/**
 * Returns a sentence about a failed TLS handshake with an upstream server, with the setting that may be wrong. Returns
 * `undefined` if the reason of the failure is another one.
 *
 * @param reason The code of Node's error.
 */
export function explainUpstreamTls(reason: string | undefined): string | undefined {
  const failure = reason === undefined ? undefined : explainTlsFailure(reason, ADVICE)
  return failure && `there is no TLS connection to the upstream server: ${failure}`
}
