import type { FastifyInstance, FastifyRequest } from 'fastify'
import { TokenBody } from '../../src/contract.js'
import { PortcullisError } from '../../src/errors.js'
import type { TokenSet } from '../../src/session/issue.js'
import type { Core } from '../../src/app/core.js'
import { countedAddress } from '../client-address.js'
import { sendOAuthError } from '../oauth-errors.js'
import { countRefresh, refreshPresented } from '../refresh-request.js'
import { readClientInfo } from './origin.js'
import { sendTokens } from './send-tokens.js'

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i

/**
 * Adds `POST /auth/token`, the token endpoint (RFC 6749 §3.2): exchanges a one-time code, or a refresh token. It reads
 * the form only. A token or code in the query, in a cookie, or in `Authorization` has no effect.
 */
export function tokenRoute(app: FastifyInstance, core: Core): void {
  app.post<{ Body: TokenBody }>(
    '/token',
    {
      schema: { body: TokenBody },
      errorHandler: (error, request, reply) => sendOAuthError(error, request, reply),
      preValidation: async (request) => {
        request.body = readForm(request)
      },
    },
    async (request, reply) => {
      const tokens = await grant(core, request, request.body)
      // RFC 6749 §5.1, for HTTP/1.0 caches.
      reply.header('pragma', 'no-cache')
      return sendTokens(reply, core, tokens, false)
    },
  )
}

/**
 * Returns the parameters. A parameter without a value counts as absent (RFC 6749 §3.2).
 *
 * @throws {PortcullisError} `invalid_request` if the body isn't a form
 */
function readForm({ headers, body }: FastifyRequest): TokenBody {
  if (body !== undefined && !FORM.test(headers['content-type'] ?? ''))
    throw new PortcullisError('invalid_request', { detail: 'Send application/x-www-form-urlencoded.' })
  const given = Object.entries((body ?? {}) as Record<string, string>)
  return Object.fromEntries(given.filter(([, value]) => value !== '')) as TokenBody
}

/** @throws {PortcullisError} `invalid_request`, `unsupported_grant_type`, and the errors of the grant */
async function grant(core: Core, request: FastifyRequest, body: TokenBody): Promise<TokenSet> {
  const sessions = core.sessions.forRequest(request.id)
  const address = countedAddress(request)
  switch (body.grant_type) {
    case 'authorization_code': {
      const { code_verifier: verifier, client_id: clientId } = body
      const code = requireParameter('code', body.code)
      // A code may be invented, so it is counted like a refresh token without a good proof.
      await countRefresh(core, address, { isProven: false })
      return sessions.exchangeCode({ code, verifier, clientId }, readClientInfo(request), request)
    }
    case 'refresh_token': {
      const token = requireParameter('refresh_token', body.refresh_token)
      return refreshPresented(core, sessions, { token, address, request })
    }
    default:
      throw new PortcullisError('unsupported_grant_type', {
        detail: 'grant_type: authorization_code or refresh_token.',
      })
  }
}

function requireParameter(name: string, value: string | undefined): string {
  if (value !== undefined) return value
  throw new PortcullisError('invalid_request', { detail: `${name}: the parameter is missing.` })
}
