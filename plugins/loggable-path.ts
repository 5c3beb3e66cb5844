/** Three parts in base64url with dots between them, as in a JWT or a refresh token. */
const TOKEN = /(?<![\w-])[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}/

/**
 * Returns the path of a request target for the log. These may be secret, so they are left out or replaced by `…`: the
 * query, credentials in an absolute URL, parameters of a path segment, and segments that contain a token.
 */
export function loggablePath(target: string): string {
  const path = target
    .replace(/[?#][^]*$/, '')
    .replace(/\/\/[^/]*@/, '//…@')
    .replace(/;[^/]+/g, ';…')
  // Most paths end here, because a token is long and has dots.
  if (!mayContainToken(path)) return path
  return path
    .split('/')
    .map((segment) => (TOKEN.test(decodeAscii(segment)) ? '…' : segment))
    .join('/')
}

function mayContainToken(path: string): boolean {
  return path.length >= 50 && (path.includes('.') || path.includes('%'))
}

/** Decodes the escaped ASCII characters, however often they were escaped. */
function decodeAscii(segment: string): string {
  return segment
    .replace(/%(?:25)+/g, '%')
    .replace(/%([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
