import type { FastifyReply } from 'fastify'
import { tokenResponse, withoutTokens } from '../../src/contract.js'
import type { TokenResponse } from '../../src/contract.js'
import type { TokenSet } from '../../src/session/issue.js'
import { setCookies } from '../../src/token/token-cookies.js'
import type { Core } from '../core.js'

/** Sends the token response (RFC 6749 §5.1). With `asCookies`, the tokens are in cookies and not in the body. */
export function sendTokens(
  reply: FastifyReply,
  core: Core,
  tokens: TokenSet,
  asCookies: boolean,
): FastifyReply {
  const response = tokenResponse(tokens)
  return reply.send(asCookies ? setTokenCookies(reply, core, response) : response)
}

/** Adds the token cookies to a reply. Returns the token response without the tokens, for the body. */
export function setTokenCookies(
  reply: FastifyReply,
  { settings }: Pick<Core, 'settings'>,
  tokens: TokenResponse,
): TokenResponse {
  const access = { value: tokens.access_token!, maxAge: tokens.expires_in }
  const refresh = { value: tokens.refresh_token!, maxAge: tokens.refresh_expires_in }
  reply.header('set-cookie', setCookies(settings.cookies, settings.prefix, access, refresh))
  return withoutTokens(tokens)
}
