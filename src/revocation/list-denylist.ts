/** What is denied now, for people: from the log, newest first, with the reasons of the denylist keys. */
import type { UnixMs } from '../clock.js'
import { PortcullisError, storeUnavailable } from '../errors.js'
import type { Keys } from '../redis/keys.js'
import type { RedisClient } from '../redis/redis-client.js'
import { parseRow } from './entry.js'
import type { DenylistEntry } from './entry.js'
import { DEFAULT_LISTED, MAX_EXAMINED } from './denylist.js'
import type { ListedEntry, Listing, ListQuery } from './denylist.js'

/** Rows read at once: of one entry each, and while they may have thousands. */
const ROWS = { small: 500, large: 3 }
/** Denylist keys read at once. */
const KEYS_AT_ONCE = 500

/** An entry, and where the list continues behind it: the id of its row, and how many of the row's entries came before. */
interface Place {
  readonly entry: DenylistEntry
  readonly row: string
  readonly behind: number
}

/**
 * A page of the entries in force whose id or reason has the text in it. It examines `MAX_EXAMINED` at the most, found or
 * not; then `nextCursor` continues. An entry that was written twice is listed once on a page.
 *
 * @throws {PortcullisError} `store_unavailable`; `invalid_request` for a cursor that isn't one
 */
export async function listDenylist(
  redis: RedisClient,
  keys: Keys,
  { search = '', cursor, limit = DEFAULT_LISTED }: ListQuery,
  now: UnixMs,
): Promise<Listing> {
  const found = new Map<string, ListedEntry>()
  let examined = 0
  try {
    for await (const places of batches(redis, keys, parseCursor(cursor))) {
      const values = await redis.mget(places.map(({ entry: { kind, id } }) => keys.deny(kind, id)))
      for (const [i, { entry, row, behind }] of places.entries()) {
        examined += 1
        const denied = merge(entry, values[i])
        const matches = denied.id.includes(search) || denied.reason.includes(search)
        const name = `${denied.kind} ${denied.id}`
        if (matches && denied.until > now && !found.has(name)) found.set(name, denied)
        if (found.size >= limit || examined >= MAX_EXAMINED)
          return { entries: [...found.values()], nextCursor: `${row}.${behind}` }
      }
    }
  } catch (error) {
    throw error instanceof PortcullisError ? error : storeUnavailable(error)
  }
  return { entries: [...found.values()] }
}

/** From a place in the log to its beginning. */
async function* batches(
  redis: RedisClient,
  keys: Keys,
  start: { readonly row: string; readonly behind: number },
): AsyncGenerator<Place[]> {
  let [from, count] = [start.row, ROWS.large]
  for (;;) {
    const rows = await redis.xrevrangeBuffer(keys.log, from, '-', 'COUNT', count)
    const places = rows.flatMap(([id, fields]) => {
      const row = String(id)
      const all = parseRow(fields[1]!).map((entry, i) => ({ entry, row, behind: i + 1 }))
      return row === start.row ? all.slice(start.behind) : all
    })
    for (let i = 0; i < places.length; i += KEYS_AT_ONCE) yield places.slice(i, i + KEYS_AT_ONCE)
    if (rows.length < count) return
    from = `(${String(rows.at(-1)![0])}`
    count = places.length > rows.length ? ROWS.large : ROWS.small
  }
}

function parseCursor(cursor: string | undefined): { row: string; behind: number } {
  if (cursor === undefined) return { row: '+', behind: 0 }
  const match = /^(\d{1,15}-\d{1,15})\.(\d{1,9})$/.exec(cursor)
  if (!match)
    throw new PortcullisError('invalid_request', { detail: 'cursor: take the next_cursor of a page.' })
  return { row: match[1]!, behind: Number(match[2]) }
}

/** The denylist key has the reason, and the larger `before` and `until` of all rows; it may not be written yet. */
function merge(entry: DenylistEntry, value: string | null | undefined): ListedEntry {
  const match = /^(\d+) (\d+) ?(.*)$/s.exec(value ?? '')
  if (!match) return { ...entry, reason: '' }
  return { ...entry, before: Number(match[1]), until: Number(match[2]), reason: match[3]! }
}
