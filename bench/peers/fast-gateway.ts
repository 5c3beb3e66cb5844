import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import fastGateway from 'fast-gateway'
import fastify from 'fastify'
import { listenServer } from '../listen.js'
import type { Peer, Serve } from '../peer.js'
import type { Setup } from '../setup.js'
import { connectDenylist, registerJwt } from './fastify-jwt.js'

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => unknown) => unknown

async function proxy(setup: Setup, middlewares: Middleware[]) {
  const server = createServer()
  fastGateway({
    restana: { server },
    middlewares,
    // Its own agent keeps connections open. The request target is forwarded unchanged.
    routes: [{ prefix: '', target: setup.upstreamUrl, methods: ['GET'], disableQsOverwrite: true }],
  })
  return listenServer(server)
}

/** The verifier of @fastify/jwt, used without Fastify requests. */
async function jwtAndExists(setup: Setup): Promise<Middleware> {
  const verifier = fastify()
  await registerJwt(verifier, setup, false)
  await verifier.ready()
  const isRevoked = connectDenylist(setup)
  return async (request, response, next) => {
    try {
      const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
      const { jti } = verifier.jwt.verify<{ jti: string }>(token)
      if (await isRevoked(jti)) throw new Error('revoked')
    } catch {
      response.statusCode = 401
      return response.end()
    }
    return next()
  }
}

export const servers: Record<string, Serve> = {
  open: (setup) => proxy(setup, []),
  exists: async (setup) => proxy(setup, [await jwtAndExists(setup)]),
}

const start =
  (server: string): Peer['start'] =>
  async ({ serve }, setup) => [await serve(import.meta.url, server, setup)]

export const peers: Peer[] = [
  { name: 'fast-gateway', title: 'fast-gateway', isOpen: true, start: start('open') },
  { name: 'fast-gateway-exists', title: 'fast-gateway + @fastify/jwt + EXISTS', start: start('exists') },
]
