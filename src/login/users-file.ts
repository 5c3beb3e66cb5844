/**
 * The users file. It has one line per user, `NAME:HASH` or `NAME:HASH:SCOPES`. The hash is argon2id (a PHC string) or
 * bcrypt, as written by `htpasswd -B`. Empty lines and lines that start with `#` are skipped. The file is read again when it has changed.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Milliseconds } from '../clock.js'
import { loadHashing } from './hashing.js'
import { UsersFileError, findUser, normaliseName, readUsers } from './users-parser.js'
import type { User, Users } from './users-parser.js'

export { UsersFileError, normaliseName, parseUsers } from './users-parser.js'

/** Returns how many passwords each process may hash at once. One core stays free to verify tokens. */
export function hashingSlots(processes: number, cores = availableParallelism()): number {
  return Math.max(1, Math.floor((cores - 1) / processes))
}

/** Maximum length of a password, in bytes of UTF-8. bcrypt itself uses only the first 72 bytes. */
export const MAX_PASSWORD_BYTES = 1_024

/**
 * Returns the argon2id hash of a password as a PHC string, for a line of the users file. The parameters are those that
 * OWASP recommends: 19 MiB, 2 passes, 1 lane.
 */
export async function hashPassword(password: string): Promise<string> {
  return (await loadHashing()).argon2.hash(preparePassword(password))
}

/**
 * Returns one spelling for all spellings of a password that look the same (RFC 8265 §4.2.2, OpaqueString): systems differ
 * in how they compose `ä`, and some keyboards type other blanks than the space.
 */
function preparePassword(password: string): string {
  return password.replaceAll(/\p{Zs}/gu, ' ').normalize('NFC')
}

/**
 * Returns the spellings that a hash may be of. Other programs hash a password as it was typed. Most passwords have one
 * spelling only.
 */
function spellingsOf(password: string): string[] {
  return [
    ...new Set([preparePassword(password), password, password.normalize('NFC'), password.normalize('NFD')]),
  ]
}

/** Maximum number of reads per reload. A read is repeated if the file changed during the read. */
const MAX_READS = 3

/** Interval in which `watch` checks if the file has changed. */
const POLL_INTERVAL: Milliseconds = 2_000

/** Receives the users before and after a change of the file. */
export type OnUsersChanged = (before: Users, after: Users) => void

/** The users of the users file (`login.users`), reloaded when the file changes. */
export class UsersFile {
  readonly #file: string
  readonly #warn: (message: string) => void
  readonly #decoyKey = randomBytes(32)
  #users: Users = { byName: new Map(), list: [] }
  /** The version of the file that was read last, even if it could not be used. */
  #version = ''
  #reloading: Promise<void> | undefined
  /** The last logged error; `undefined` once the file can be read again. */
  #loggedError: string | undefined
  #onChanged: OnUsersChanged | undefined
  #poll: NodeJS.Timeout | undefined

  private constructor(file: string, warn: (message: string) => void) {
    this.#file = file
    this.#warn = warn
  }

  /**
   * Opens the file and reads it.
   *
   * @param warn Called once for each later version of the file that can't be used. The users of the previous version
   *   then stay in use.
   * @throws {UsersFileError} if the file can't be read or has a mistake. The message begins with the setting.
   */
  static async open(file: string, warn: (message: string) => void): Promise<UsersFile> {
    const users = new UsersFile(file, warn)
    // A missing native library is an error at the start instead of at the first login.
    await Promise.all([users.#load().catch(throwWithSetting), loadHashing()])
    return users
  }

  /**
   * Checks a password. Returns the user, or `undefined` if there is no such user or the password is wrong.
   *
   * Both cases take the same time: for an unknown name, the password is compared with the hash of another user.
   */
  async verify(username: string, password: string): Promise<User | undefined> {
    await this.refresh()
    const name = normaliseName(username)
    const hash = this.#users.byName.get(name)?.hash ?? this.#decoyFor(name)
    const isRight = Buffer.byteLength(password) <= MAX_PASSWORD_BYTES && (await verifyHash(hash, password))
    // The user may have been removed, or their password changed, while this password was hashed.
    const user = this.#users.byName.get(name)
    return isRight && user?.hash === hash ? user : undefined
  }

  /** Returns the user with exactly this name, or `undefined`. Uses the users that were read last. */
  find(name: string): User | undefined {
    return findUser(this.#users, name)
  }

  /**
   * Reads the file again within about 2 s after a change, even if nobody logs in, and calls `onChanged` after each
   * change that was read. There can be one watcher. Call `close` to stop.
   */
  watch(onChanged: OnUsersChanged): void {
    this.#onChanged = onChanged
    const poll = async () => {
      await this.refresh()
      // Not set again after `close`.
      this.#poll = this.#onChanged && setTimeout(poll, POLL_INTERVAL).unref()
    }
    this.#poll = setTimeout(poll, POLL_INTERVAL).unref()
  }

  /** Stops watching the file. */
  close(): void {
    this.#onChanged = undefined
    clearTimeout(this.#poll)
  }

  /**
   * Returns the hash of some user for an unknown name. It is always the same for one name: a varying hash would make
   * the time vary, which would reveal that the name is unknown.
   */
  #decoyFor(name: string): string {
    const { list } = this.#users
    const digest = createHmac('sha256', this.#decoyKey).update(name).digest()
    return list[digest.readUInt32BE(0) % list.length]!.hash
  }

  /**
   * Waits until the users are at least as new as the file was at the time of the call. Never rejects.
   *
   * A reload that is in progress may have read the file before its last change. In that case a second reload follows.
   */
  async refresh(): Promise<void> {
    for (let reloads = 0; reloads < 2; reloads += 1) {
      const version = await readVersion(this.#file).catch((error: Error) => this.#warnOnce('', error))
      if (version === undefined) return
      if (version === this.#version) {
        this.#loggedError = undefined
        return
      }
      this.#reloading ??= this.#load()
        .catch((error: Error) => this.#warnOnce(this.#version, error))
        .finally(() => (this.#reloading = undefined))
      await this.#reloading
    }
  }

  /**
   * Reads the file, and repeats that if the file changed during the read. Otherwise a half-written file could be used.
   *
   * @throws {UsersFileError}
   */
  async #load(): Promise<void> {
    for (let reads = 1; ; reads += 1) {
      const version = await readVersion(this.#file)
      const read = await readUsers(this.#file).catch((error: Error) => error)
      if (reads < MAX_READS && version !== (await readVersion(this.#file))) continue
      if (read instanceof Error && !(read instanceof UsersFileError)) throw unreadable(this.#file, read)
      this.#version = version
      if (read instanceof Error) throw read
      const before = this.#users
      this.#users = read
      this.#loggedError = undefined
      this.#onChanged?.(before, read)
      return
    }
  }

  /** Logs an error once per version of the file. */
  #warnOnce(version: string, { message }: Error): void {
    const error = `${version} ${message}`
    if (error !== this.#loggedError) this.#warn(`${SETTING}: ${message}`)
    this.#loggedError = error
  }
}

/**
 * Returns a text that differs for each version of the file. `mtime` alone isn't enough, because a copy may preserve the
 * times of the original.
 *
 * @throws {UsersFileError}
 */
async function readVersion(file: string): Promise<string> {
  const stats = await stat(file).catch((error: Error) => {
    throw unreadable(file, error)
  })
  if (!stats.isFile()) {
    const what = stats.isDirectory() ? 'a directory' : 'not a regular file'
    throw new UsersFileError(`the users file ${file} is ${what}; write the path of a file of NAME:HASH lines`)
  }
  const { mtimeMs, ctimeMs, size, ino } = stats
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`
}

/** The setting that has the path of the users file. */
const SETTING = 'login.users'

function throwWithSetting(error: unknown): never {
  throw error instanceof UsersFileError ? new UsersFileError(`${SETTING}: ${error.message}`) : error
}

function unreadable(file: string, error: Error): UsersFileError {
  return new UsersFileError(`the users file ${file} can’t be read: ${error.message}`)
}

/**
 * Returns true if the hash is of one of the spellings of the password. The number of attempts depends on the password
 * only, so the time doesn't reveal the user.
 */
async function verifyHash(hash: string, password: string): Promise<boolean> {
  let isRight = false
  for (const spelling of spellingsOf(password)) {
    if (await verifySpelling(hash, spelling)) isRight = true
  }
  return isRight
}

async function verifySpelling(hash: string, password: string): Promise<boolean> {
  const { argon2, bcrypt } = await loadHashing()
  if (hash.startsWith('$argon2id$')) return argon2.verify(hash, password)
  return bcrypt.verify(password, hash)
}
