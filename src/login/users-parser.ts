import { createReadStream } from 'node:fs'

export interface User {
  /** As the file has it. */
  readonly name: string
  readonly hash: string
}

export interface Users {
  /** By `normaliseName`. */
  readonly byName: ReadonlyMap<string, User>
  /** In the order of the file. */
  readonly list: readonly User[]
}

/** A users file that can't be used; the message names file, line and what is wrong. */
export class UsersFileError extends Error {
  override readonly name = 'UsersFileError'
}

/** One spelling for names that a person takes for the same; log-ins are looked up and counted by it. */
export function normaliseName(name: string): string {
  return name.normalize('NFKC').trim().toLowerCase()
}

/** Bytes that are parsed in one turn of the event loop: about a thousand lines, which take 3 ms. */
const TURN_BYTES = 65_536
/** Longer than any line that could be used. Without a limit, a file without line breaks would be searched repeatedly. */
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

/** @throws {UsersFileError} naming file and line */
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
  /** The begin of a line whose end hasn't come yet. */
  #rest = ''

  constructor(file: string) {
    this.#file = file
  }

  push(piece: string): void {
    const text = this.#rest + piece
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#line(text.slice(from, end))
      from = end + 1
    }
    this.#rest = text.slice(from)
    if (this.#rest.length <= MAX_LINE) return
    this.#lines += 1
    throw this.#wrong(`the line is longer than ${MAX_LINE} characters`)
  }

  end(): Users {
    this.#line(this.#rest)
    return { byName: this.#byName, list: this.#list }
  }

  #line(line: string): void {
    this.#lines += 1
    if (line.trim() === '' || line.startsWith('#')) return
    const colon = line.indexOf(':')
    if (colon < 1) throw this.#wrong('a line is NAME:HASH')
    const user = { name: line.slice(0, colon), hash: line.slice(colon + 1).trim() }
    if (user.name.length > 256) throw this.#wrong('the name is longer than 256 characters')
    if (!isHash(user.hash)) throw this.#wrong('the hash must be argon2id ($argon2id$…) or bcrypt ($2b$…)')
    const key = normaliseName(user.name)
    const earlier = this.#byName.get(key)
    if (earlier) throw this.#wrong(`the name is there already (as "${earlier.name}")`)
    this.#byName.set(key, user)
    this.#list.push(user)
  }

  #wrong(what: string): UsersFileError {
    return new UsersFileError(`${this.#file}, line ${this.#lines}: ${what}`)
  }
}

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
