import type { FastifyReply } from 'fastify'
import { tokenResponse, withoutTokens } from '../../src/contract.js'
import type { TokenResponse } from '../../src/contract.js'
import type { TokenSet } from '../../src/session/issue.js'
import type { Sessions } from '../../src/session/sessions.js'
import { requireCookieFits, setCookies } from '../../src/token/token-cookies.js'
import type { Core } from '../../src/app/core.js'

/** Sends the token response (RFC 6749 §5.1). With `asCookies`, the tokens are in cookies and not in the body. */
export function sendTokens(
  reply: FastifyReply,
  core: Core,
  tokens: TokenSet,
  asCookies: boolean,
): FastifyReply {
  const response = tokenResponse(tokens)
  if (!asCookies) return reply.send(response)
  const endsWithBrowser = tokens.session.endsWithBrowser === true
  return reply.send(setTokenCookies(reply, core, response, { endsWithBrowser }))
}

/** Adds the token cookies to a reply. Returns the token response without the tokens, for the body. */
export function setTokenCookies(
  reply: FastifyReply,
  { settings }: Pick<Core, 'settings'>,
  tokens: TokenResponse,
  { endsWithBrowser }: { readonly endsWithBrowser: boolean } = { endsWithBrowser: false },
): TokenResponse {
  const { access_token, refresh_token, refresh_expires_in, session_expires_in } = tokens
  // The cookie outlives its token, so that the error is `token_expired` and the client knows that it can refresh.
  const maxAge = endsWithBrowser ? undefined : (refresh_expires_in ?? session_expires_in)
  const access = { value: access_token!, maxAge }
  const refresh = refresh_token === undefined ? undefined : { value: refresh_token, maxAge }
  reply.header('set-cookie', setCookies(settings.cookies, settings.prefix, access, refresh))
  return withoutTokens(tokens)
}

/** Returns the sessions of the core. With `asCookies`, they issue no access token that doesn't fit into a cookie. */
export function sessionsFor({ sessions, settings }: Core, asCookies: boolean): Sessions {
  if (!asCookies) return sessions
  return sessions.withTokenCheck((token) => requireCookieFits(settings.cookies, settings.prefix, token))
}
