import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { PortcullisError } from '../../src/errors.js'
import { isPlainHost } from '../../src/gateway/forwarded-headers.js'
import { checkTarget } from '../../src/gateway/request-target.js'
import type { CheckedTarget } from '../../src/gateway/request-target.js'
import type { GatewaySettings } from '../../src/config.js'
import { withoutQueryTokens } from '../../src/token/query-token.js'
import { sendError } from '../problem-details.js'
import { targetRefused } from './gate.js'
import { abandonPipeline } from './pipelining.js'

/** Kept on the request itself: a WeakMap of as many is dear to collect. */
const CHECKED = Symbol('judged')

type RequestWithTarget = IncomingMessage & { [CHECKED]?: CheckedTarget }

/**
 * For Fastify's `rewriteUrl`, which runs before routing: judges the raw target, and lets the router see a refused one
 * as `/`, where `refuseBadRequests` is waiting for it.
 */
export function checkBeforeRouting(limits: GatewaySettings['limits']) {
  return (request: RequestWithTarget): string => {
    const target = checkTarget(request.url, limits)
    request[CHECKED] = target
    // Fastify logs this URL, so a token in it is taken out; the raw request keeps it.
    return target.ok ? withoutQueryTokens(request.url!) : '/'
  }
}

/** The target of a request that came past `refuseBadRequests`. */
export function checkedTarget(request: RequestWithTarget): CheckedTarget {
  return request[CHECKED]!
}

/**
 * Refuses, first of all, what must not be routed: ambiguous targets, heads that servers read differently, too many
 * headers.
 */
export function rejectBadRequests(app: FastifyInstance, { headerCount }: GatewaySettings['limits']): void {
  app.addHook('onRequest', (request, reply, done) => {
    const refusal = findFault(request.raw, headerCount)
    if (!refusal) return done()
    abandonPipeline(request.raw.socket)
    sendError(request, reply, refusal)
  })
}

function findFault(raw: IncomingMessage, headerCount: number): PortcullisError | undefined {
  const target = checkedTarget(raw)
  // What some route may allow is left to the gate; no route of our own sees it.
  if (target && !target.ok && !target.lax) return targetRefused(target.reason)
  const { httpVersion, rawHeaders } = raw
  if (rawHeaders.length / 2 > headerCount) {
    return closing('headers_too_large', `At most ${headerCount} headers are read.`)
  }
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    return closing('invalid_request', 'The version of HTTP must be 1.1 or 1.0.')
  }
  return findHeadFault(rawHeaders, httpVersion)
}

/** Node keeps the first of several headers with one name, so the raw ones are looked at. */
function findHeadFault(rawHeaders: readonly string[], httpVersion: string): PortcullisError | undefined {
  let hosts = 0
  let codings = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    const value = rawHeaders[at + 1]!
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1
      if (value !== '' && !isPlainHost(value)) {
        return closing('invalid_request', 'Host: it must be a name or an address, and a port at most.')
      }
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      codings += 1
      if (codings > 1 || value.toLowerCase() !== 'chunked') {
        return closing('invalid_request', 'Transfer-Encoding: it must be chunked, and nothing else.')
      }
    }
  }
  // HTTP/1.0 may come without.
  const isMissing = hosts === 0 && httpVersion !== '1.0'
  if (hosts > 1 || isMissing) return closing('invalid_request', 'Host: there must be one (RFC 9112 §3.2).')
  return undefined
}

/** What follows on the connection can't be told from the rest of this request. */
function closing(code: 'invalid_request' | 'headers_too_large', detail: string): PortcullisError {
  return new PortcullisError(code, { detail, headers: { connection: 'close' } })
}
