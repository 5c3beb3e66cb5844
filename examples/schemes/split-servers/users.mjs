/** The users of the auth server. Replace this with your database. */
import { hash, verify } from '@node-rs/bcrypt'

/** Compared with the password if there is no such user, so that an unknown name takes as long as a known one. */
const NO_HASH = await hash('nobody has this password', 10)

/** @typedef {{ id: number, name: string, passwordHash: string, role: 'clerk' | 'manager', isActive: boolean }} User */

export async function createUsers() {
  /** @type {User[]} */
  const rows = [
    { id: 1, name: 'ada', passwordHash: await hash('gate-keeper-1843', 10), role: 'manager', isActive: true },
    { id: 2, name: 'bob', passwordHash: await hash('drawbridge-1066', 10), role: 'clerk', isActive: true },
  ]
  return {
    /** @param {number} id */
    findById: async (id) => rows.find((user) => user.id === id),
    /** Returns the user with this name and password, or `undefined`. */
    async findByPassword(name, password) {
      const user = rows.find((row) => row.name === name)
      const isRight = await verify(password, user?.passwordHash ?? NO_HASH)
      return isRight ? user : undefined
    },
    /** @param {number} id @param {Partial<User>} changes */
    async update(id, changes) {
      Object.assign(
        rows.find((user) => user.id === id),
        changes,
      )
    },
  }
}
