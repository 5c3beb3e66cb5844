/**
 * The exchange of a token by whoever presents it: `POST /auth/refresh` and `app.portcullis.refresh`, and in the single
 * scheme `POST /auth/renew` and `app.portcullis.renew`.
 */
import { PortcullisError, rateLimited } from '../src/errors.js'
import { MAX_REFRESH_TOKEN_LENGTH } from '../src/contract.js'
import type { Core } from '../src/app/core.js'
import type { TokenSet } from '../src/session/issue.js'
import type { Sessions } from '../src/session/sessions.js'
import { toAuth, toRevocableToken } from '../src/token/auth.js'
import { addressKey } from './client-address.js'

/** A token to exchange, and the client that presents it. */
export interface PresentedForExchange<Token = string> {
  readonly token: Token
  /** The client's address. Nothing is counted if it is unknown. */
  readonly address: string | undefined
  /** The Fastify request, for the check of the user. */
  readonly request?: unknown
}

/**
 * Counts the use of a refresh token and exchanges it for new tokens.
 *
 * @param sessions The sessions of the core, as the caller wants them (with checks of cookies, with a request id).
 * @throws {PortcullisError} as `POST /auth/refresh`
 */
export async function refreshPresented(
  core: Core,
  sessions: Sessions,
  { token, address, request }: PresentedForExchange<string | undefined>,
): Promise<TokenSet> {
  if (token === undefined) {
    throw new PortcullisError('refresh_token_missing', {
      detail: 'Send {"refresh_token": "…"} as the body.',
    })
  }
  const parsed = sessions.parseRefreshToken(token)
  if (!parsed) throw new PortcullisError('refresh_token_invalid', { reason: 'shape' })
  await countRefresh(core, address, parsed)
  return sessions.refresh(parsed, request)
}

/**
 * Verifies an access token apart from its expiry, counts its use, and exchanges it for the next one (single scheme).
 *
 * @throws {PortcullisError} as `POST /auth/renew`
 */
export async function renewPresented(
  core: Core,
  sessions: Sessions,
  { token, address, request }: PresentedForExchange,
): Promise<TokenSet> {
  const { claims, key } = core.verifier.decodeOwnToken(token, { address })
  await countRefresh(core, address, { isProven: true })
  return sessions.renew(toRevocableToken(toAuth(claims, key.kid)), request)
}

/**
 * Checks a refresh token that the application passes on, as the schema of a request body does.
 *
 * @throws {PortcullisError} `invalid_request`
 */
export function checkRefreshText(token: unknown): string | undefined {
  if (token === undefined) return undefined
  if (typeof token === 'string' && token !== '' && token.length <= MAX_REFRESH_TOKEN_LENGTH) return token
  throw new PortcullisError('invalid_request', {
    detail: `refresh_token: must be a text of 1 to ${MAX_REFRESH_TOKEN_LENGTH} characters.`,
  })
}

/**
 * Checks an access token that the application passes on, such as a field of a body of its own.
 *
 * @throws {PortcullisError} `credentials_missing`, `invalid_request`
 */
export function checkAccessText(token: unknown): string {
  if (typeof token === 'string') return token
  if (token === undefined) throw new PortcullisError('credentials_missing')
  throw new PortcullisError('invalid_request', { detail: 'The access token must be a text.' })
}

/**
 * Counts one use of a token for the client's address. A token that may be invented is counted in this process only, so
 * that it causes no write to Redis.
 *
 * @param ip The client's address. Nothing is counted if it is unknown.
 * @throws {PortcullisError} `rate_limited`
 */
export async function countRefresh(
  { limiters }: Core,
  ip: string | undefined,
  { isProven }: { readonly isProven: boolean },
): Promise<void> {
  if (ip === undefined) return
  const limiter = isProven ? limiters.refreshPerAddress : limiters.unprovenPerAddress
  const seconds = await limiter.count(addressKey(ip))
  if (seconds > 0) throw rateLimited(seconds)
}
