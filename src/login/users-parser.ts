import { createReadStream } from 'node:fs'

/** A line of the users file. */
export interface User {
  /** The name as it is spelt in the file. */
  readonly name: string
  readonly hash: string
  /** The scopes of the user, separated by spaces. `undefined` without a third field. */
  readonly scope: string | undefined
}

/** All users of a users file. */
export interface Users {
  /** The users by the result of `normaliseName`. */
  readonly byName: ReadonlyMap<string, User>
  /** In the order of the file. */
  readonly list: readonly User[]
}

/** An error in a users file. The message names the file, the line and the mistake. */
export class UsersFileError extends Error {
  override readonly name = 'UsersFileError'
}

/**
 * Returns one spelling for all names that look the same to a person. Logins are looked up and counted by this spelling.
 */
export function normaliseName(name: string): string {
  return name.normalize('NFKC').trim().toLowerCase()
}

/** Returns the user with exactly this name, or `undefined` if there is none, or only one that is spelt differently. */
export function findUser({ byName }: Users, name: string): User | undefined {
  const user = byName.get(normaliseName(name))
  return user?.name === name ? user : undefined
}

/** Bytes that are parsed in one turn of the event loop. That is about a thousand lines, which take 3 ms. */
const TURN_BYTES = 65_536
/**
 * Maximum length of a line, in characters. No valid line is that long. Without a limit, the start of a file without
 * line breaks would be searched again with each piece.
 */
const MAX_LINE = 65_536

/**
 * Reads a users file in many turns of the event loop, so that a large one delays nothing else.
 *
 * @throws {UsersFileError} naming file and line
 */
export async function readUsers(file: string): Promise<Users> {
  const parser = new UsersParser(file)
  const stream = createReadStream(file, { encoding: 'utf8', highWaterMark: TURN_BYTES })
  for await (const text of stream) parser.push(text as string)
  return parser.end()
}

/**
 * Parses the text of a users file.
 *
 * @param file The path, for error messages only.
 * @throws {UsersFileError} naming file and line
 */
export function parseUsers(file: string, text: string): Users {
  const parser = new UsersParser(file)
  parser.push(text)
  return parser.end()
}

class UsersParser {
  readonly #file: string
  readonly #byName = new Map<string, User>()
  readonly #list: User[] = []
  #lines = 0
  /** The start of a line whose end is in the next piece. */
  #rest = ''

  constructor(file: string) {
    this.#file = file
  }

  push(piece: string): void {
    const text = this.#rest + piece
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#parseLines(text.slice(from, end))
      from = end + 1
    }
    this.#rest = text.slice(from)
    if (this.#rest.length <= MAX_LINE) return
    this.#lines += 1
    throw this.#createError(`the line is longer than ${MAX_LINE} characters`)
  }

  end(): Users {
    this.#parseLines(this.#rest)
    if (this.#list.length === 0) {
      throw new UsersFileError(
        `${this.#file} has no users; add one with: portcullis users add NAME --file ${this.#file}`,
      )
    }
    return { byName: this.#byName, list: this.#list }
  }

  /** Parses what is between two line feeds. A carriage return ends a line, too, alone or before a line feed. */
  #parseLines(text: string): void {
    const whole = text.endsWith('\r') ? text.slice(0, -1) : text
    for (const line of whole.split('\r')) this.#parseLine(line)
  }

  #parseLine(line: string): void {
    this.#lines += 1
    // `trim` also removes a byte order mark.
    const text = line.trim()
    // UTF-16, as Windows PowerShell writes it, and Latin-1.
    if (/[\0\ufffd]/.test(text)) throw this.#createError('the file isn’t UTF-8; save it as UTF-8')
    if (text === '' || text.startsWith('#')) return
    const [name = '', hash, scope, ...more] = text.split(':').map((field) => field.trim())
    if (name === '' || hash === undefined || more.length > 0)
      throw this.#createError('a line must be NAME:HASH or NAME:HASH:SCOPES')
    const user = { name, hash, scope: scope === '' ? undefined : scope?.split(/\s+/).join(' ') }
    if (user.scope !== undefined && !/^[!#-[\]-~ ]+$/.test(user.scope))
      throw this.#createError('the scopes must be words with spaces between them (RFC 6749 §3.3)')
    if (user.name.length > 256) throw this.#createError('the name is longer than 256 characters')
    if (!isHash(user.hash))
      throw this.#createError('the hash must be argon2id ($argon2id$…) or bcrypt ($2b$…)')
    const key = normaliseName(user.name)
    const earlier = this.#byName.get(key)
    if (earlier) throw this.#createError(`the name is used twice (before as "${earlier.name}")`)
    this.#byName.set(key, user)
    this.#list.push(user)
  }

  #createError(mistake: string): UsersFileError {
    return new UsersFileError(`${this.#file}, line ${this.#lines}: ${mistake}`)
  }
}

const ARGON2ID =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=[1-9]\d{0,3},p=([1-9]\d?)\$([\w+/]{11,86})\$([\w+/]{22,86})$/
const BCRYPT = /^\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z\d]{53}$/

/**
 * Returns true for a hash that a password can be checked against: argon2id with at least 8 KiB per lane, 8 bytes of
 * salt and 16 bytes of hash, or bcrypt with a cost from 4 to 31.
 */
function isHash(text: string): boolean {
  const [, memory, lanes, ...bytes] = ARGON2ID.exec(text) ?? []
  if (memory === undefined) return BCRYPT.test(text)
  const isBase64 = (part: string) =>
    Buffer.from(part, 'base64').toString('base64').replaceAll('=', '') === part
  return Number(memory) >= 8 * Number(lanes) && bytes.every(isBase64)
}
