import type { FastifyRequest } from 'fastify'
import type { ClientInfo } from '../../src/session/session.js'
import { clientAddress } from '../client-address.js'

/** Characters of `User-Agent` that a session keeps. */
const MAX_USER_AGENT = 256

/** Returns the client info of a request, which its session keeps. */
export function readClientInfo(request: FastifyRequest): ClientInfo {
  return { ip: clientAddress(request), userAgent: request.headers['user-agent']?.slice(0, MAX_USER_AGENT) }
}
