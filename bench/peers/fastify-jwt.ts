/** The usual application without Portcullis: @fastify/jwt, and a denylist in Redis. */
import fastifyJwt from '@fastify/jwt'
import fastify from 'fastify'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Redis } from 'ioredis'
import { listenApp } from '../listen.js'
import { ANSWER } from '../peer.js'
import type { Peer, Serve } from '../peer.js'
import { denialKey } from '../setup.js'
import type { Setup } from '../setup.js'

type Check = (request: FastifyRequest) => Promise<void>

/** Registers @fastify/jwt with one parsed key and one algorithm. It checks issuer and audience, as Portcullis does. */
export async function registerJwt(app: FastifyInstance, setup: Setup, cache: number | false): Promise<void> {
  const { algorithm, issuer, audience, verifyingKey } = setup
  await app.register(fastifyJwt, {
    secret: algorithm === 'HS256' ? verifyingKey : { public: verifyingKey, private: '' },
    verify: { algorithms: [algorithm], allowedIss: issuer, allowedAud: audience, cache },
  })
}

/** Returns a function that is true if the token is revoked. Each call is one EXISTS, with automatic pipelining. */
export function connectDenylist({ redisUrl }: Setup): (jti: string) => Promise<boolean> {
  const redis = new Redis(redisUrl, { enableAutoPipelining: true })
  return async (jti) => (await redis.exists(denialKey(jti))) === 1
}

export async function jwtAndExists(app: FastifyInstance, setup: Setup): Promise<Check> {
  await registerJwt(app, setup, false)
  const isRevoked = connectDenylist(setup)
  return async (request) => {
    const { jti } = await request.jwtVerify<{ jti: string }>()
    if (await isRevoked(jti)) throw Object.assign(new Error('revoked'), { statusCode: 401 })
  }
}

async function guarded(check: (app: FastifyInstance) => Promise<Check>) {
  const app = fastify()
  const onRequest = await check(app)
  app.get('/', { onRequest }, async () => ANSWER)
  return listenApp(app)
}

/** Verifies tokens without a denylist, so revoked tokens are admitted. */
const verifyOnly = (setup: Setup, cache: number | false) => async (app: FastifyInstance) => {
  await registerJwt(app, setup, cache)
  return async (request: FastifyRequest) => {
    await request.jwtVerify()
  }
}

export const servers: Record<string, Serve> = {
  jwt: (setup) => guarded(verifyOnly(setup, false)),
  // Room for twice the number of tokens, but at least the default of 1,000.
  cached: (setup) => guarded(verifyOnly(setup, Math.max(1_000, 2 * setup.tokens))),
  exists: (setup) => guarded((app) => jwtAndExists(app, setup)),
}

const start =
  (server: string): Peer['start'] =>
  async ({ serve }, setup) => [await serve(import.meta.url, server, setup)]

export const peers: Peer[] = [
  { name: 'jwt', title: 'Fastify + @fastify/jwt', admitsRevoked: true, start: start('jwt') },
  {
    name: 'jwt-cached',
    title: 'Fastify + @fastify/jwt, its cache on',
    admitsRevoked: true,
    start: start('cached'),
  },
  { name: 'jwt-exists', title: 'Fastify + @fastify/jwt + Redis EXISTS', start: start('exists') },
]
