import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { PluginSettings } from '../src/config.js'
import { WorkSlots } from '../src/login/work-slots.js'
import { UsersFile, hashingSlots } from '../src/login/users-file.js'
import { createHttpLogin } from './login-http.js'
import type { Authenticator } from './routes/login.js'

/** How many logins may wait for a slot. */
const QUEUE = 100
/** A host's own function, or a legacy API, mostly waits for others, so more of them may run at once. */
const WAITING_SLOTS = 32

/**
 * Who may log in by `POST /auth/login`; undefined: there is no such route, the host logs in by itself. `processes`:
 * how many do so on this machine.
 */
export async function createAuthenticator(
  login: PluginSettings['login'],
  log: FastifyBaseLogger,
  processes: number,
): Promise<Authenticator | undefined> {
  if (typeof login === 'function') {
    return {
      slots: new WorkSlots(WAITING_SLOTS, QUEUE),
      authenticate: (credentials, request: FastifyRequest) => login(credentials, request),
    }
  }
  if (login.http !== undefined) {
    return {
      slots: new WorkSlots(WAITING_SLOTS, QUEUE),
      authenticate: createHttpLogin(login.http, WAITING_SLOTS, log),
    }
  }
  if (login.users === undefined) return undefined
  const users = await UsersFile.open(login.users, (reason) =>
    log.error({ event: 'users_file', reason }, reason),
  )
  return {
    slots: new WorkSlots(hashingSlots(processes), QUEUE),
    async authenticate({ username, password }) {
      const sub = await users.verify(username, password)
      return sub === undefined ? null : { sub }
    },
  }
}
