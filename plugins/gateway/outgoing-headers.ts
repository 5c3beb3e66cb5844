import type { FastifyRequest } from 'fastify'
import type { Core } from '../../src/app/core.js'
import { PortcullisError } from '../../src/errors.js'
import type { ForwardOptions } from '../../src/gateway/forward.js'
import type { ForwardedClient } from '../../src/gateway/forwarded-headers.js'
import type { HeaderRules } from '../../src/gateway/header-rules.js'
import type { Admission } from '../../src/token/admission.js'
import { identityRefused } from './gate.js'
import type { GateRoute } from './gate.js'

/** What the headers of every forwarded request depend on. */
interface HeaderContext {
  readonly core: Core
  readonly isOwnToken: (token: string) => boolean
}

/** What the headers of one forwarded request depend on. */
interface OutgoingRequest {
  readonly route: GateRoute
  readonly rules: HeaderRules
  readonly hopId: string
  readonly client: ForwardedClient
}

/**
 * Returns the headers for the upstream.
 *
 * @throws {PortcullisError} `token_invalid` if a header can't carry a claim, `invalid_request` for a header of the client
 *   that can't be forwarded
 */
export function outgoingHeaders(
  { core, isOwnToken }: HeaderContext,
  request: FastifyRequest,
  { route, rules, hopId, client }: OutgoingRequest,
  { auth, transport }: Admission,
): Pick<ForwardOptions, 'host' | 'headers' | 'framing'> {
  const outgoing = rules.request(request.raw.rawHeaders, {
    origin: client,
    prefix: route.rewritePrefix === undefined ? undefined : route.path,
    hopId,
    host: route.host,
    drop: route.forwardToken ? undefined : tokenHeader(transport),
    isOwnToken: route.forwardToken ? undefined : isOwnToken,
    identity: auth ? core.identity.build(auth) : {},
  })
  if (outgoing.ok) return outgoing
  if (outgoing.reason === 'identity_value') throw identityRefused()
  throw new PortcullisError('invalid_request', {
    detail: `The ${outgoing.reason.replace('_', ' ')} header is not acceptable.`,
    headers: { connection: 'close' },
  })
}

function tokenHeader(transport: Admission['transport']): string | undefined {
  if (transport === 'header') return 'authorization'
  return transport === 'x-access-token' ? transport : undefined
}
