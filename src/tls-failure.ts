/** What an operator can do about the failures of TLS that have a usual remedy. */
export interface TlsAdvice {
  /** If the certificate is of a CA that isn't trusted. */
  readonly ca: string
  /** If the certificate is for another name. */
  readonly name: string
  /** If the server demands a client certificate. */
  readonly cert: string
  /** If the server doesn't speak TLS. */
  readonly plain: string
}

const CAUSES: readonly (readonly [code: RegExp, cause: string, advice?: keyof TlsAdvice])[] = [
  [
    /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA$|CERT_UNTRUSTED$)/,
    'its certificate is of a CA that is not trusted',
    'ca',
  ],
  [/^(?:ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/, 'its certificate is for another name', 'name'],
  [/^CERT_HAS_EXPIRED$/, 'its certificate has expired'],
  [/^CERT_NOT_YET_VALID$/, 'its certificate is not valid yet'],
  [
    /^ERR_SSL_.*ALERT_(?:CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE|BAD_CERTIFICATE|UNKNOWN_CA)$/,
    'it refuses the client certificate, or demands one',
    'cert',
  ],
  [
    /^(?:EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/,
    'it seems not to speak TLS',
    'plain',
  ],
  [/^(?:ERR_SSL_|ERR_TLS_|CERT_)/, 'TLS has failed'],
]

/**
 * Returns the cause of a failed TLS handshake, and what to do about it. The sentence begins with the server as `it`.
 *
 * @param code The code of Node's error, such as `CERT_HAS_EXPIRED`.
 * @returns `undefined` if the code has nothing to do with TLS.
 */
export function explainTlsFailure(code: string, advice: TlsAdvice): string | undefined {
  for (const [pattern, cause, what] of CAUSES) {
    if (pattern.test(code)) return what === undefined ? cause : `${cause}; ${advice[what]}`
  }
  return undefined
}
