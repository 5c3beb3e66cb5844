import { isOutdated } from './changed-users.js'
import type { UserCheck } from './user-check.js'
import type { UsersFile } from './users-file.js'

/**
 * Creates the check that reads the user of a session in a users file. It ends sessions of users who are gone or have
 * another password, and otherwise returns the scopes that the user has now. Sessions that the host itself has started
 * are left as they are.
 */
export function createUsersCheck(users: UsersFile): UserCheck {
  return async (session) => {
    if (session.credential === undefined) return {}
    await users.refresh()
    if (isOutdated(users, session)) return null
    // Without a third field the user has no scopes, which differs from unchanged ones.
    return { scope: users.find(session.sub)?.scope ?? '' }
  }
}
