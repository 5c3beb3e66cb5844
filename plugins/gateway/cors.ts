import cors from '@fastify/cors'
import type { FastifyCorsOptionsDelegatePromise } from '@fastify/cors'
import type { FastifyInstance } from 'fastify'

/**
 * Lets pages of the configured origins call with credentials, on all routes of the gateway, and answers their
 * preflights. An OPTIONS request that is no preflight is a request like others. (In a host's app CORS is the host's
 * business.)
 */
export async function registerCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return
  const options: FastifyCorsOptionsDelegatePromise = async ({ headers }) => ({
    origin: [...origins],
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['WWW-Authenticate', 'Retry-After', 'X-Portcullis-Outage'],
    maxAge: 600,
    preflight: headers.origin !== undefined && headers['access-control-request-method'] !== undefined,
    strictPreflight: false,
  })
  await app.register(cors, () => options)
}
