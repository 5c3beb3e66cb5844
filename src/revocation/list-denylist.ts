import type { UnixMs } from '../clock.js'
import { PortcullisError, storeUnavailable } from '../errors.js'
import type { Keys } from '../redis/keys.js'
import type { RedisClient } from '../redis/redis-client.js'
import { parseRow, toKeyId } from './entry.js'
import type { DenylistEntry } from './entry.js'
import { DEFAULT_LISTED, MAX_EXAMINED } from './denylist.js'
import type { ListedEntry, Listing, ListQuery } from './denylist.js'

/** The number of rows that are read at once: `small` if rows have one entry, `large` if they may have thousands. */
const ROWS = { small: 500, large: 3 }
/** The number of denylist keys that are read at once. */
const KEYS_AT_ONCE = 500

/** An entry with the cursor after it, which is the id of its row and a number of entries. */
interface Place {
  readonly entry: DenylistEntry
  readonly row: string
  /** The number of entries of the row up to and including this one. */
  readonly behind: number
}

/**
 * Lists one page of the entries in force whose id or reason contains `search`, newest first. The entries come from the
 * log and their reasons from the denylist keys. A page ends after `MAX_EXAMINED` entries even if it isn't full, and its
 * `nextCursor` continues the search. An entry that was written twice is listed once per page.
 *
 * @throws {PortcullisError} `store_unavailable`; `invalid_request` if the cursor is malformed
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
    for await (const places of readBatches(redis, keys, parseCursor(cursor))) {
      const values = await redis.mget(places.map(({ entry }) => keys.deny(entry.kind, toKeyId(entry))))
      for (const [i, { entry, row, behind }] of places.entries()) {
        examined += 1
        const listed = toListedEntry(entry, values[i])
        const matches = listed.id.includes(search) || listed.reason.includes(search)
        const name = `${listed.kind} ${listed.id}`
        if (matches && listed.until > now && !found.has(name)) found.set(name, listed)
        if (found.size >= limit || examined >= MAX_EXAMINED)
          return { entries: [...found.values()], nextCursor: `${row}.${behind}` }
      }
    }
  } catch (error) {
    throw error instanceof PortcullisError ? error : storeUnavailable(error)
  }
  return { entries: [...found.values()] }
}

/** Yields the entries from a cursor back to the beginning of the log, in batches. */
async function* readBatches(
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
    throw new PortcullisError('invalid_request', { detail: '`cursor` must be the `next_cursor` of a page.' })
  return { row: match[1]!, behind: Number(match[2]) }
}

/**
 * Adds the reason, and the largest `before` and `until` of all rows, from the entry's denylist key. The key may not
 * exist yet.
 */
function toListedEntry(entry: DenylistEntry, value: string | null | undefined): ListedEntry {
  const match = /^(\d+) (\d+) ?(.*)$/s.exec(value ?? '')
  if (!match) return { ...entry, reason: '' }
  return { ...entry, before: Number(match[1]), until: Number(match[2]), reason: match[3]! }
}
