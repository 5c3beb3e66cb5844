/** An API whose users are signed in on one client of each kind: a new login on a phone ends the one on the old phone. */
import fastify from 'fastify'
import { authenticate } from 'portcullis'
import { runServer } from '../run.mjs'
import tokens, { CLIENTS } from './tokens.mjs'

/** Replace this with your database, and store hashes instead of passwords. */
const users = [
  { id: 7, name: 'Ada', email: 'ada@example.com', password: 'demo-ada-1843' },
  { id: 8, name: 'Bob', email: 'bob@example.com', password: 'demo-bob-1066' },
]

const loginBody = {
  type: 'object',
  required: ['email', 'password', 'client'],
  properties: { email: { type: 'string' }, password: { type: 'string' }, client: { enum: CLIENTS } },
}

/** @param {{ store?: string, keys?: object }} options The Redis, and the key that signs. */
export async function createServer({ store = 'memory', keys = {} } = {}) {
  const app = fastify()
  await app.register(tokens, {
    store,
    keys,
    issuer: 'https://api.example.com',
    audience: 'https://api.example.com',
  })

  app.post('/login', { schema: { body: loginBody } }, async (request, reply) => {
    const { email, password, client } = request.body
    const user = users.find((one) => one.email === email && one.password === password)
    if (!user) return reply.code(401).send({ error: 'invalid_credentials' })
    const { ip, headers } = request
    return app.generateToken(user, { device: client, ip, userAgent: headers['user-agent'] })
  })

  app.get('/me', { onRequest: authenticate }, async ({ auth }) => ({
    // `sub` is text in every token (RFC 7519 §4.1.2).
    id: Number(auth.sub),
    name: auth.claims.name,
    email: auth.claims.email,
  }))
  return app
}

await runServer(import.meta.url, createServer)
