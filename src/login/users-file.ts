/**
 * The users file: a line a user, `NAME:HASH`, the hash argon2id (PHC string) or bcrypt, as `htpasswd -B` writes it.
 * Empty lines and lines that begin with `#` are skipped. It is read again when it changes.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { verify as verifyArgon2, hash as hashArgon2 } from '@node-rs/argon2'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { UsersFileError, normaliseName, readUsers } from './users-parser.js'
import type { Users } from './users-parser.js'

export { UsersFileError, normaliseName, parseUsers } from './users-parser.js'

/** How many passwords each of so many processes hashes at once: one core stays free for the checks of tokens. */
export function hashingSlots(processes: number, cores = availableParallelism()): number {
  return Math.max(1, Math.floor((cores - 1) / processes))
}

/** The longest password that is looked at, in bytes of UTF-8. bcrypt itself heeds the first 72 only. */
export const MAX_PASSWORD_BYTES = 1_024

/**
 * An argon2id hash with this version's parameters (OWASP: 19 MiB, 2 passes, 1 lane), as a line of the users file has
 * it.
 */
export function hashPassword(password: string): Promise<string> {
  return hashArgon2(password)
}

/** How often a file is read at most that changes each time while it is read. */
const MAX_READS = 3

export class UsersFile {
  readonly #file: string
  readonly #warn: (message: string) => void
  readonly #decoyKey = randomBytes(32)
  #users: Users = { byName: new Map(), list: [] }
  /** The version of the file that was read last, also if it could not be used. */
  #version = ''
  #reloading: Promise<void> | undefined
  /** What was logged last; `undefined` once the file can be read again. */
  #complaint: string | undefined

  private constructor(file: string, warn: (message: string) => void) {
    this.#file = file
    this.#warn = warn
  }

  /**
   * Opens the file. `warn` is called once for each later change that can't be used; the users stay as they were then.
   *
   * @throws {UsersFileError}
   */
  static async open(file: string, warn: (message: string) => void): Promise<UsersFile> {
    const users = new UsersFile(file, warn)
    await users.#load()
    return users
  }

  /**
   * The name of the user as the file has it, or undefined if there is no such user or the password is wrong. Both take
   * the same time: where the name is unknown, the password is compared with some user's hash.
   */
  async verify(username: string, password: string): Promise<string | undefined> {
    await this.#refresh()
    const name = normaliseName(username)
    const hash = this.#users.byName.get(name)?.hash ?? this.#decoyFor(name)
    const isRight = Buffer.byteLength(password) <= MAX_PASSWORD_BYTES && (await verifyHash(hash, password))
    // The user may have been removed, or have got another password, while this one was hashed.
    const user = this.#users.byName.get(name)
    return isRight && user?.hash === hash ? user.name : undefined
  }

  /**
   * Some user's hash, always the same for a name, so that an unknown name takes as long as one of the file, each
   * time.
   */
  #decoyFor(name: string): string {
    const { list } = this.#users
    if (list.length === 0) return EMPTY_FILE_DECOY
    const digest = createHmac('sha256', this.#decoyKey).update(name).digest()
    return list[digest.readUInt32BE(0) % list.length]!.hash
  }

  /**
   * Waits until the users are those of the file as it was when this was called, or of a later change. Never rejects.
   *
   * A reload that is under way may have read the file before its last change; the next one can't have.
   */
  async #refresh(): Promise<void> {
    for (let reloads = 0; reloads < 2; reloads += 1) {
      const version = await readVersion(this.#file).catch((error: Error) => this.#complain('', error))
      if (version === undefined) return
      if (version === this.#version) {
        this.#complaint = undefined
        return
      }
      this.#reloading ??= this.#load()
        .catch((error: Error) => this.#complain(this.#version, error))
        .finally(() => (this.#reloading = undefined))
      await this.#reloading
    }
  }

  /** Reads the file until it didn't change meanwhile: else half of a change would do as the whole. */
  async #load(): Promise<void> {
    for (let reads = 1; ; reads += 1) {
      const version = await readVersion(this.#file)
      const read = await readUsers(this.#file).catch((error: Error) => error)
      if (reads < MAX_READS && version !== (await readVersion(this.#file))) continue
      if (read instanceof Error && !(read instanceof UsersFileError)) throw unreadable(this.#file, read)
      this.#version = version
      if (read instanceof Error) throw read
      this.#users = read
      this.#complaint = undefined
      return
    }
  }

  /** Logs what is wrong with a version of the file, once. */
  #complain(version: string, { message }: Error): void {
    const complaint = `${version} ${message}`
    if (complaint !== this.#complaint) this.#warn(message)
    this.#complaint = complaint
  }
}

/**
 * Changes with the file: `mtime` alone can be set back by whoever copies a file with its times.
 *
 * @throws {UsersFileError}
 */
async function readVersion(file: string): Promise<string> {
  const stats = await stat(file).catch((error: Error) => {
    throw unreadable(file, error)
  })
  const { mtimeMs, ctimeMs, size, ino } = stats
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`
}

function unreadable(file: string, error: Error): UsersFileError {
  return new UsersFileError(`the users file ${file} can’t be read: ${error.message}`)
}

/** Nobody's hash, for a file without users. */
const EMPTY_FILE_DECOY =
  '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

async function verifyHash(hash: string, password: string): Promise<boolean> {
  if (hash.startsWith('$argon2id$')) return verifyArgon2(hash, password)
  return verifyBcrypt(password, hash)
}
