import type { FastifyReply } from 'fastify'
import { cookieTokenResponse, tokenResponse } from '../../src/contract.js'
import type { TokenSet } from '../../src/session/issue.js'
import { setCookies } from '../../src/token/token-cookies.js'
import type { Core } from '../core.js'

/** Sends the token response (RFC 6749 §5.1). With `asCookies`, the tokens are in cookies and not in the body. */
export function sendTokens(
  reply: FastifyReply,
  { settings }: Core,
  tokens: TokenSet,
  asCookies: boolean,
): FastifyReply {
  if (!asCookies) return reply.send(tokenResponse(tokens))
  const access = { value: tokens.accessToken, maxAge: tokens.expiresIn }
  const refresh = { value: tokens.refreshToken, maxAge: tokens.refreshExpiresIn }
  return reply
    .header('set-cookie', setCookies(settings.cookies, settings.prefix, access, refresh))
    .send(cookieTokenResponse(tokens))
}
