import cors from '@fastify/cors'
import type { FastifyCorsOptionsDelegatePromise } from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { GatewaySettings } from '../../src/config.js'
import { PortcullisError } from '../../src/errors.js'
import { forwardedClient } from '../client-address.js'
import type { Gate } from './gate.js'
import { matchRequest } from './match-request.js'

/**
 * Enables CORS with credentials for the configured origins (`cors.origins`) on all routes of the gateway. An OPTIONS
 * request that isn't a preflight is handled like any other request. In the plugin, the host configures CORS.
 *
 * On a route with `cors: upstream`, preflights are forwarded. The headers that this plugin sets are then for our own
 * responses only, for example so that a page can read a 401. The reverse proxy drops them from the upstream's (`isCorsHeader`).
 */
export async function registerCors(
  app: FastifyInstance,
  { cors: { origins }, tokens }: Pick<GatewaySettings, 'cors' | 'tokens'>,
  gate: Gate,
): Promise<void> {
  if (origins.length === 0) return
  const answersAll = gate.routes.every((route) => route.cors === 'gateway')
  const exposedHeaders = ['WWW-Authenticate', 'Retry-After', 'X-Portcullis-Outage']
  if (tokens.renewUnder > 0) exposedHeaders.push('X-Renewed-Access-Token', 'X-Renewed-Expires-In')
  const options = async (request: FastifyRequest) => {
    const { headers } = request
    const isPreflight = headers.origin !== undefined && headers['access-control-request-method'] !== undefined
    return {
      origin: [...origins],
      credentials: headers.origin !== undefined && origins.includes(headers.origin),
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders,
      maxAge: 600,
      preflight: isPreflight && (answersAll || !belongsToUpstream(gate, request)),
      strictPreflight: false,
    }
  }
  await app.register(cors, () => options satisfies FastifyCorsOptionsDelegatePromise)
  // @fastify/cors adds a route for all OPTIONS requests. Those that it doesn't answer are forwarded, and Fastify must not
  // read their body before that.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.method === 'OPTIONS' && request.routeOptions.url === '*') return void reply.callNotFound()
    done()
  })
}

function belongsToUpstream(gate: Gate, request: FastifyRequest): boolean {
  if (request.method !== 'OPTIONS') return false
  try {
    return matchRequest(gate, request, forwardedClient(request)).route.cors === 'upstream'
  } catch (error) {
    if (error instanceof PortcullisError) return false
    throw error
  }
}

/** Returns true for the headers that `registerCors` sets. */
export function isCorsHeader(name: string): boolean {
  return name === 'vary' || name.startsWith('access-control-')
}
