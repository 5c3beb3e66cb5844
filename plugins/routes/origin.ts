import type { FastifyRequest } from 'fastify'
import type { Origin } from '../../src/session/session.js'
import { addressOf } from '../client.js'

const MAX_USER_AGENT = 256

/** From where the request comes, as a session remembers it. */
export function originOf(request: FastifyRequest): Origin {
  return { ip: addressOf(request), userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) }
}
