import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { isPlainHost } from '../../src/gateway/forwarded-headers.js'
import { collectLaxities } from '../../src/gateway/lax-target.js'
import { checkTarget } from '../../src/gateway/request-target.js'
import type { CheckedTarget } from '../../src/gateway/request-target.js'
import type { GatewaySettings } from '../../src/config.js'
import { withoutQueryTokens } from '../../src/token/query-token.js'
import { sendError } from '../problem-details.js'
import { targetRefused } from './gate.js'
import { abandonPipeline } from './pipelining.js'

/** Stored on the request itself, because a WeakMap with one entry per request is expensive to collect. */
const CHECKED = Symbol('checked')

type RequestWithTarget = IncomingMessage & { [CHECKED]?: CheckedTarget }

/**
 * Returns a function for Fastify's `rewriteUrl`, which runs before routing. It checks the raw request target. For an
 * invalid target the router gets `/`, and `rejectBadRequests` then refuses the request.
 */
export function checkBeforeRouting({ limits, routes }: Pick<GatewaySettings, 'limits' | 'routes'>) {
  const targetLimits = { target: limits.target, allowed: collectLaxities(routes) }
  return (request: RequestWithTarget): string => {
    const target = checkTarget(request.url, targetLimits)
    request[CHECKED] = target
    // Fastify logs this URL, so a token in it is removed. The raw request keeps it.
    return target.ok ? withoutQueryTokens(request.url!) : '/'
  }
}

/** Returns the checked request target. Requires that `checkBeforeRouting` has run for the request. */
export function checkedTarget(request: RequestWithTarget): CheckedTarget {
  return request[CHECKED]!
}

/**
 * Refuses requests that must not be routed: an ambiguous request target, a head that servers may read in different
 * ways, or too many headers. Its hook must run before any other hook that acts on a request.
 */
export function rejectBadRequests(app: FastifyInstance, { headerCount }: GatewaySettings['limits']): void {
  app.addHook('onRequest', (request, reply, done) => {
    const error = findFault(request.raw, headerCount)
    if (!error) return done()
    abandonPipeline(request.raw.socket)
    sendError(request, reply, error)
  })
}

function findFault(raw: IncomingMessage, headerCount: number): PortcullisError | undefined {
  const target = checkedTarget(raw)
  // Targets that a route may allow (`targetAllow`) are left to the gate. None of our own routes gets them.
  if (target && !target.ok && !target.lax) return targetRefused(target.reason)
  const { httpVersion, rawHeaders } = raw
  if (rawHeaders.length / 2 > headerCount) {
    return closingError('headers_too_large', `At most ${headerCount} headers are allowed.`)
  }
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    return closingError('invalid_request', 'The version of HTTP must be 1.1 or 1.0.')
  }
  return findHeadFault(rawHeaders, httpVersion)
}

/**
 * Checks `Host` and `Transfer-Encoding` in the raw headers. Node's header object keeps only the first of duplicates.
 */
function findHeadFault(rawHeaders: readonly string[], httpVersion: string): PortcullisError | undefined {
  let hosts = 0
  let codings = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    const value = rawHeaders[at + 1]!
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1
      if (value !== '' && !isPlainHost(value)) {
        return closingError('invalid_request', 'Host: send a name or an address, with an optional port.')
      }
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      codings += 1
      if (codings > 1 || value.toLowerCase() !== 'chunked') {
        return closingError('invalid_request', 'Transfer-Encoding: only a single chunked is supported.')
      }
    }
  }
  // HTTP/1.0 requests may have no Host.
  const isMissing = hosts === 0 && httpVersion !== '1.0'
  if (hosts > 1 || isMissing)
    return closingError('invalid_request', 'Host: exactly one is required (RFC 9112 §3.2).')
  return undefined
}

/** Returns an error that closes the connection, because the end of this request is unknown. */
function closingError(code: 'invalid_request' | 'headers_too_large', detail: string): PortcullisError {
  return new PortcullisError(code, { detail, headers: { connection: 'close' } })
}
