/** The users of the blog. Replace this with your database. */
import { hash, verify } from '@node-rs/bcrypt'

/** Compared with the password if there is no such user, so that an unknown name takes as long as a known one. */
const NO_HASH = await hash('nobody has this password', 10)

const users = [
  { id: 1, username: 'ada', passwordHash: await hash('gate-keeper-1843', 10) },
  { id: 2, username: 'bob', passwordHash: await hash('drawbridge-1066', 10) },
]

/** Returns the user with this name and password, or `undefined`. */
export async function findUser(username, password) {
  const user = users.find((row) => row.username === username)
  const isRight = await verify(password, user?.passwordHash ?? NO_HASH)
  return isRight ? user : undefined
}
