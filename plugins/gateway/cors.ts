import cors from '@fastify/cors'
import type { FastifyCorsOptionsDelegatePromise } from '@fastify/cors'
import type { FastifyInstance } from 'fastify'

/**
 * Enables CORS with credentials for the configured origins (`cors.origins`) on all routes of the gateway. An OPTIONS
 * request that isn't a preflight is handled like any other request. In the plugin, the host configures CORS.
 */
export async function registerCors(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return
  const options: FastifyCorsOptionsDelegatePromise = async ({ headers }) => ({
    origin: [...origins],
    credentials: headers.origin !== undefined && origins.includes(headers.origin),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['WWW-Authenticate', 'Retry-After', 'X-Portcullis-Outage'],
    maxAge: 600,
    preflight: headers.origin !== undefined && headers['access-control-request-method'] !== undefined,
    strictPreflight: false,
  })
  await app.register(cors, () => options)
}
