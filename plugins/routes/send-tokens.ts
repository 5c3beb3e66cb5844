import type { FastifyReply } from 'fastify'
import { tokenResponse, withoutTokens } from '../../src/contract.js'
import type { TokenResponse } from '../../src/contract.js'
import type { TokenSet } from '../../src/session/issue.js'
import type { Sessions } from '../../src/session/sessions.js'
import { formatRefreshCookie, requireCookieFits, setCookies } from '../../src/token/token-cookies.js'
import type { Core } from '../../src/app/core.js'

/**
 * Sends the token response (RFC 6749 §5.1).
 *
 * @param cookies If set, the tokens are in cookies and not in the body. Without `remember`, the cookies end with the
 *   browser.
 */
export function sendTokens(
  reply: FastifyReply,
  core: Core,
  tokens: TokenSet,
  cookies: { readonly remember: boolean } | undefined,
): FastifyReply {
  const response = tokenResponse(tokens)
  return reply.send(cookies === undefined ? response : setTokenCookies(reply, core, response, cookies))
}

/** Adds the token cookies to a reply. Returns the token response without the tokens, for the body. */
export function setTokenCookies(
  reply: FastifyReply,
  { settings }: Pick<Core, 'settings'>,
  tokens: TokenResponse,
  { remember }: { readonly remember: boolean } = { remember: true },
): TokenResponse {
  const maxAge = remember ? tokens.refresh_expires_in : undefined
  // The cookie outlives its token, so that the error is `token_expired` and the client knows that it can refresh.
  const access = { value: tokens.access_token!, maxAge }
  const refresh = { value: formatRefreshCookie(tokens.refresh_token!, remember), maxAge }
  reply.header('set-cookie', setCookies(settings.cookies, settings.prefix, access, refresh))
  return withoutTokens(tokens)
}

/** Returns the sessions of the core. With `asCookies`, they issue no access token that doesn't fit into a cookie. */
export function sessionsFor({ sessions, settings }: Core, asCookies: boolean): Sessions {
  if (!asCookies) return sessions
  return sessions.withTokenCheck((token) => requireCookieFits(settings.cookies, settings.prefix, token))
}
