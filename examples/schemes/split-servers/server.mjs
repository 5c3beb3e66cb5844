/** Starts the auth server and two business servers: one has the public key itself, the other the URL of it. */
import { generateKeyPairSync } from 'node:crypto'
import { runServer } from '../run.mjs'
import { createAuthServer } from './auth-server.mjs'
import { createBusinessServer } from './business-server.mjs'
import { createUsers } from './users.mjs'

/**
 * Here all servers are in one process, and the key pair is new at each start. In production, the private key is a file
 * of the auth server alone (`openssl genrsa -out auth.pem 2048`), and each business server has the public one
 * (`openssl rsa -in auth.pem -pubout -out auth.pub.pem`).
 *
 * @param {object} options
 * @param {string} options.store `memory`, or the URL of a Redis.
 * @param {number} options.port The port of the auth server.
 * @param {Awaited<ReturnType<typeof createUsers>>} [options.users]
 */
export async function createServer({ store, port, users }) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  // No other server can read the memory of the auth server.
  const businessStore = store === 'memory' ? 'none' : store
  const jwks = `http://127.0.0.1:${port}/.well-known/jwks.json`
  return [
    await createAuthServer({ store, privateKey, users: users ?? (await createUsers()) }),
    await createBusinessServer({ store: businessStore, keys: { verify: publicKey, algorithm: 'RS256' } }),
    await createBusinessServer({ store: businessStore, keys: { jwks } }),
  ]
}

await runServer(import.meta.url, createServer)
