/**
 * The users file: a line a user, `NAME:HASH`, the hash argon2id (PHC string) or bcrypt, as `htpasswd -B` writes it.
 * Empty lines and lines that begin with `#` are skipped. It is read again when it changes.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { verify as verifyArgon2, hash as hashArgon2 } from '@node-rs/argon2'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'

/** How many passwords each of so many processes hashes at once: one core stays free for the checks of tokens. */
export function hashingSlots(processes: number, cores = availableParallelism()): number {
  return Math.max(1, Math.floor((cores - 1) / processes))
}

/** The longest password that is looked at, in bytes of UTF-8. bcrypt itself heeds the first 72 only. */
export const MAX_PASSWORD_BYTES = 1_024

interface User {
  readonly name: string
  readonly hash: string
}

/** A users file that can't be used; the message names file, line and what is wrong. */
export class UsersFileError extends Error {
  override readonly name = 'UsersFileError'
}

/** One spelling for names that a person takes for the same; log-ins are looked up and counted by it. */
export function normaliseName(name: string): string {
  return name.normalize('NFKC').trim().toLowerCase()
}

/**
 * An argon2id hash with this version's parameters (OWASP: 19 MiB, 2 passes, 1 lane), as a line of the users file has
 * it.
 */
export function hashPassword(password: string): Promise<string> {
  return hashArgon2(password)
}

export class UsersFile {
  readonly #file: string
  readonly #warn: (message: string) => void
  readonly #decoyKey = randomBytes(32)
  #users = new Map<string, User>()
  #version = ''

  private constructor(file: string, warn: (message: string) => void) {
    this.#file = file
    this.#warn = warn
  }

  /**
   * Opens the file. `warn` is told when a later change of it can't be used; the users stay as they were then.
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
    await this.#load().catch((error: Error) => this.#warn(error.message))
    const name = normaliseName(username)
    const user = this.#users.get(name)
    const hash = user?.hash ?? this.#decoyFor(name)
    const isRight = Buffer.byteLength(password) <= MAX_PASSWORD_BYTES && (await verifyHash(hash, password))
    return user && isRight ? user.name : undefined
  }

  /**
   * Some user's hash, always the same for a name, so that an unknown name takes as long as one of the file, each
   * time.
   */
  #decoyFor(name: string): string {
    const hashes = [...this.#users.values()]
    if (hashes.length === 0) return EMPTY_FILE_DECOY
    const digest = createHmac('sha256', this.#decoyKey).update(name).digest()
    return hashes[digest.readUInt32BE(0) % hashes.length]!.hash
  }

  async #load(): Promise<void> {
    let version: string
    try {
      const { mtimeMs, size, ino } = await stat(this.#file)
      version = `${mtimeMs} ${size} ${ino}`
      if (version === this.#version) return
      const users = parseUsers(this.#file, await readFile(this.#file, 'utf8'))
      this.#users = users
    } catch (error) {
      if (error instanceof UsersFileError) throw error
      throw new UsersFileError(`the users file ${this.#file} can’t be read: ${(error as Error).message}`)
    }
    this.#version = version
  }
}

/** Nobody's hash, for a file without users. */
const EMPTY_FILE_DECOY =
  '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

const ARGON2ID =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=[1-9]\d{0,3},p=([1-9]\d?)\$([\w+/]{11,86})\$([\w+/]{22,86})$/
const BCRYPT = /^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z\d]{53}$/

/**
 * Only what can be verified: argon2id with 8 KiB a lane, 8 bytes of salt and 16 of hash, at least; bcrypt of cost 4
 * to 31.
 */
function isHash(text: string): boolean {
  const [, memory, lanes, ...bytes] = ARGON2ID.exec(text) ?? []
  if (memory === undefined) return BCRYPT.test(text)
  const isBase64 = (part: string) =>
    Buffer.from(part, 'base64').toString('base64').replaceAll('=', '') === part
  return Number(memory) >= 8 * Number(lanes) && bytes.every(isBase64)
}

/** @throws {UsersFileError} naming file and line */
export function parseUsers(file: string, text: string): Map<string, User> {
  const users = new Map<string, User>()
  text.split(/\r?\n/).forEach((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return
    const wrong = (what: string) => new UsersFileError(`${file}, line ${i + 1}: ${what}`)
    const colon = line.indexOf(':')
    if (colon < 1) throw wrong('a line is NAME:HASH')
    const user = { name: line.slice(0, colon), hash: line.slice(colon + 1).trim() }
    if (user.name.length > 256) throw wrong('the name is longer than 256 characters')
    if (!isHash(user.hash)) throw wrong('the hash must be argon2id ($argon2id$…) or bcrypt ($2b$…)')
    const key = normaliseName(user.name)
    if (users.has(key)) throw wrong(`the name is there already (as "${users.get(key)!.name}")`)
    users.set(key, user)
  })
  return users
}

async function verifyHash(hash: string, password: string): Promise<boolean> {
  if (hash.startsWith('$argon2id$')) return verifyArgon2(hash, password)
  return verifyBcrypt(password, hash)
}
