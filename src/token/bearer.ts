/** Finds the access token of a request (RFC 6750 §2): in one transport, once, or not at all. */
import { Refusal } from '../errors.js'
import { cookieValues } from './cookies.js'

export type Transport = 'header' | 'cookie'

export interface Credentials {
  readonly token: string
  readonly transport: Transport
}

/** Where a token is looked for. What isn't listed isn't looked at. */
export interface Transports {
  readonly header: boolean
  /** The cookie's name. */
  readonly cookie: string | undefined
}

/** What is read of a request. `rawHeaders`: names and values in turn, as Node has them. */
export interface RequestHeaders {
  readonly headers: { readonly cookie?: string | undefined }
  readonly rawHeaders: readonly string[]
}

const BEARER = /^bearer(?: +(.*))?$/is
/** RFC 6750 §2.1, `b64token`. */
const B64TOKEN = /^[\w\-.~+/]+=*$/

/**
 * The access token of a request, or undefined if it brings none.
 *
 * @throws {Refusal} `credentials_ambiguous` for two tokens, equal or not; `token_malformed` for what can't be one.
 */
export function readAccessToken(request: RequestHeaders, transports: Transports): Credentials | undefined {
  const found: Credentials[] = []
  if (transports.header) {
    for (const value of authorizations(request.rawHeaders)) {
      const match = BEARER.exec(value)
      if (match) found.push({ token: match[1] ?? '', transport: 'header' })
    }
  }
  if (transports.cookie !== undefined) {
    for (const token of cookieValues(request.headers.cookie, transports.cookie)) {
      found.push({ token, transport: 'cookie' })
    }
  }
  const [credentials, another] = found
  if (another) {
    throw new Refusal('credentials_ambiguous', {
      detail: 'Present one access token, in one place (RFC 6750 §2).',
    })
  }
  if (credentials && !B64TOKEN.test(credentials.token)) {
    throw new Refusal('token_malformed', { detail: 'The form is: Authorization: Bearer <token>.' })
  }
  return credentials
}

/** Node keeps the first `Authorization` alone; a second one would go unseen, so the raw headers are read. */
function authorizations(rawHeaders: readonly string[]): string[] {
  const values: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 13 && name.toLowerCase() === 'authorization') values.push(rawHeaders[i + 1]!)
  }
  return values
}
