/** The server that logs users in and signs tokens. It alone has the private key. */
import fastify from 'fastify'
import portcullis from 'portcullis'
import { AUDIENCE, ISSUER } from './settings.mjs'

const SCOPES = { clerk: 'orders:read', manager: 'orders:read orders:delete' }

/**
 * @param {object} options
 * @param {string} options.store `memory`, or the URL of a Redis.
 * @param {string} options.privateKey PEM, or the path of its file.
 * @param {Awaited<ReturnType<typeof import('./users.mjs').createUsers>>} options.users
 */
export async function createAuthServer({ store, privateKey, users }) {
  const app = fastify()
  await app.register(portcullis, {
    store,
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: { algorithm: 'RS256', signing: privateKey },
    tokens: { access: '30m', refresh: '1d' },
    async login({ username, password }) {
      const user = await users.findByPassword(username, password)
      return user?.isActive ? { sub: user.id, ...rightsOf(user) } : null
    },
    // The user is read again at each refresh. `null` ends the session, and an error of the database is 503.
    async onRefresh({ sub }) {
      const user = await users.findById(Number(sub))
      return user?.isActive ? rightsOf(user) : null
    },
  })
  return app
}

const rightsOf = ({ name, role }) => ({ scope: SCOPES[role], claims: { name } })
