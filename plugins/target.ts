import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Refusal } from '../src/errors.js'
import { judgeTarget } from '../src/gateway/target.js'
import type { JudgedTarget } from '../src/gateway/target.js'
import type { GatewaySettings } from '../src/config.js'
import { answerRefusal } from './errors.js'

type GoodTarget = Extract<JudgedTarget, { ok: true }>

const judged = new WeakMap<IncomingMessage, JudgedTarget>()

/**
 * For Fastify's `rewriteUrl`, which runs before routing: judges the raw target, and lets the router see a refused one as `/`,
 * where `refuseBadRequests` is waiting for it.
 */
export function judgeBeforeRouting(limits: GatewaySettings['limits']) {
  return (request: IncomingMessage): string => {
    const target = judgeTarget(request.url, limits)
    judged.set(request, target)
    return target.ok ? request.url! : '/'
  }
}

/** The target of a request that came past `refuseBadRequests`. */
export function targetOf(request: IncomingMessage): GoodTarget {
  return judged.get(request) as GoodTarget
}

/** Refuses, first of all, what must not be routed: ambiguous targets, more headers than may be, no `Host`. */
export function refuseBadRequests(app: FastifyInstance, { headerCount }: GatewaySettings['limits']): void {
  app.addHook('onRequest', (request, reply, done) => {
    const target = judged.get(request.raw)
    if (target && !target.ok) {
      const detail = 'The path or the query has something that servers read differently.'
      const headers = { connection: 'close' }
      answerRefusal(request, reply, new Refusal('target_refused', { detail, reason: target.reason, headers }))
    } else if (request.raw.rawHeaders.length / 2 > headerCount) {
      const detail = `At most ${headerCount} headers are read.`
      answerRefusal(
        request,
        reply,
        new Refusal('headers_too_large', { detail, headers: { connection: 'close' } }),
      )
    } else if (!hasOneHost(request.raw)) {
      const detail = 'Host: there must be one (RFC 9112 §3.2).'
      answerRefusal(
        request,
        reply,
        new Refusal('invalid_request', { detail, headers: { connection: 'close' } }),
      )
    } else {
      done()
    }
  })
}

/** HTTP/1.0 may come without; Node keeps the first of several, so the raw ones are counted. */
function hasOneHost({ httpVersion, rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.length === 4 && rawHeaders[i]!.toLowerCase() === 'host') hosts += 1
  }
  return hosts === 1 || (hosts === 0 && httpVersion === '1.0')
}
