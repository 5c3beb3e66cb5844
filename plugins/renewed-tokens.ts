/** Adds new access tokens to the responses that bring them (`tokens.renewUnder`). */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { renewedHeaders } from '../src/token/renewed-token.js'
import type { RenewedToken } from '../src/token/renewed-token.js'

/** The new tokens of requests whose response wasn't sent yet. */
const pending = new WeakMap<FastifyRequest, RenewedToken>()

/** Lets the response bring a new token. A response that the host sends with `reply.raw` brings none. */
export function renewWithResponse(reply: FastifyReply, renewed: RenewedToken): void {
  pending.set(reply.request, renewed)
}

/**
 * Adds the hook that sets the headers. It runs after the route's handler, so that no `Cache-Control` of the handler makes
 * a cache store the token, and no token is sent after the handler has ended the session.
 */
export function sendRenewedTokens(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const renewed = pending.get(request)
    if (renewed !== undefined) {
      const headers = reply.getHeaders()
      reply.headers(renewedHeaders(renewed, Object.keys(headers), toCookies(headers['set-cookie'])) ?? {})
    }
    done(null, payload)
  })
}

/**
 * Sets the headers on a response that the proxy is about to pass on.
 *
 * @param upstreamHeaders The headers of the upstream, names and values in turn. It can't set our cookies.
 */
export function setRenewedHeaders(
  response: ServerResponse,
  renewed: RenewedToken,
  upstreamHeaders: readonly string[],
): void {
  const upstreamNames = upstreamHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
  const names = [...response.getHeaderNames(), ...upstreamNames]
  const headers = renewedHeaders(renewed, names, toCookies(response.getHeader('set-cookie'))) ?? {}
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'set-cookie') response.appendHeader(name, value)
    else response.setHeader(name, value)
  }
}

function toCookies(header: number | string | string[] | undefined): string[] {
  return [header ?? []].flat().map(String)
}
