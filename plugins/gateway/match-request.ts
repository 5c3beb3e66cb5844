import type { FastifyRequest } from 'fastify'
import { isOwnPath } from '../../src/own-paths.js'
import type { ForwardedClient } from '../../src/gateway/forwarded-headers.js'
import { noRoute } from './gate.js'
import type { Gate, RouteMatch } from './gate.js'
import { preflightMethod } from './preflight.js'
import { checkedTarget } from './strict-requests.js'

/**
 * Finds the route that covers a request to the gateway.
 *
 * @throws {PortcullisError} `not_found` if the path is one of our own, else as `Gate.find`
 */
export function matchRequest(gate: Gate, request: FastifyRequest, { host }: ForwardedClient): RouteMatch {
  const { method, raw } = request
  const target = checkedTarget(raw)
  if (target.ok && isOwnPath(target.match, gate.pages)) throw noRoute()
  return gate.find({
    method,
    target,
    host,
    ownHost: raw.headers.host,
    preflightFor: preflightMethod({ method, headers: raw.headers }),
  })
}
