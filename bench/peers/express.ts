/** Express with jsonwebtoken and a GET in Redis. One peer parses the key once, and one for each request, as is common. */
import { createPublicKey, createSecretKey } from 'node:crypto'
import express from 'express'
import { Redis } from 'ioredis'
import jwt from 'jsonwebtoken'
import type { Algorithm, JwtPayload, Secret } from 'jsonwebtoken'
import { createServer } from 'node:http'
import { listenServer } from '../listen.js'
import { ANSWER } from '../peer.js'
import type { Peer, Serve } from '../peer.js'
import { denialKey } from '../setup.js'
import type { Setup } from '../setup.js'

async function serveWith(setup: Setup, key: Secret) {
  const redis = new Redis(setup.redisUrl, { enableAutoPipelining: true })
  const { issuer, audience } = setup
  const options = { algorithms: [setup.algorithm as Algorithm], issuer, audience }
  const app = express()
  app.get(
    '/',
    async (request, response, next) => {
      try {
        const token = request.headers.authorization?.split(' ')[1] ?? ''
        const { jti = '' } = jwt.verify(token, key, options) as JwtPayload
        if (await redis.get(denialKey(jti))) {
          response.status(401).json({ error: 'revoked' })
          return
        }
      } catch {
        response.status(401).json({ error: 'invalid token' })
        return
      }
      next()
    },
    (_request, response) => {
      response.json(ANSWER)
    },
  )
  return listenServer(createServer(app))
}

export const servers: Record<string, Serve> = {
  parsed: (setup) => serveWith(setup, parse(setup)),
  // Passes the PEM text, which jsonwebtoken parses for each request.
  written: (setup) => serveWith(setup, setup.verifyingKey),
}

function parse({ algorithm, verifyingKey }: Setup) {
  return algorithm === 'HS256' ? createSecretKey(Buffer.from(verifyingKey)) : createPublicKey(verifyingKey)
}

/** The algorithms of jsonwebtoken. It doesn't support EdDSA. */
const algorithms = ['HS256', 'RS256', 'PS256', 'ES256'] as const

const start =
  (server: string): Peer['start'] =>
  async ({ serve }, setup) => [await serve(import.meta.url, server, setup)]

export const peers: Peer[] = [
  {
    name: 'express',
    title: 'Express + jsonwebtoken + Redis GET, key parsed once',
    algorithms,
    start: start('parsed'),
  },
  {
    name: 'express-written',
    title: 'Express + jsonwebtoken + Redis GET, as written',
    algorithms,
    start: start('written'),
  },
]
