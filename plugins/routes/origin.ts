import type { FastifyRequest } from 'fastify'
import type { ClientInfo } from '../../src/session/session.js'
import { clientAddress } from '../client-address.js'

const MAX_USER_AGENT = 256

/** From where the request comes, as a session remembers it. */
export function readClientInfo(request: FastifyRequest): ClientInfo {
  return { ip: clientAddress(request), userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) }
}
