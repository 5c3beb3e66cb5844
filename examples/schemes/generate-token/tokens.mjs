/** The application's own plugin for tokens. It once signed them with jsonwebtoken, and now leaves that to Portcullis. */
import fp from 'fastify-plugin'
import portcullis from 'portcullis'

/** The kinds of clients. A user is signed in on one client of each kind. */
export const CLIENTS = ['web', 'ios', 'android']

async function tokens(app, options) {
  await app.register(portcullis, {
    tokens: { access: '1h', refresh: '7d' },
    // A login ends the session of the same user and device.
    sessions: { perDevice: 1, onLimit: 'evict-oldest' },
    ...options,
  })
  app.decorate('generateToken', generateToken)

  /**
   * Starts a session for a user who has proved who they are.
   *
   * @param {{ id: number, name: string, email: string }} user
   * @param {{ device: string, ip?: string, userAgent?: string }} client `device` is one of `CLIENTS`.
   */
  async function generateToken({ id, name, email }, client) {
    const issued = await app.portcullis.issue({ sub: id, claims: { name, email }, ...client })
    const { token_type, expires_in, access_token, refresh_token } = issued
    return { token_type, expires_in, access_token, refresh_token }
  }
}

export default fp(tokens, { fastify: '5.x', name: 'tokens' })
