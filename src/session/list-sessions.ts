/** Lists the sessions of a subject in pages. */
import type { UnixMs } from '../clock.js'
import type { IndexedSession, IndexPlace } from '../store/session-store.js'
import type { SessionDependencies } from './dependencies.js'
import type { Session, Sid } from './session.js'

/** Number of sessions per page: the default and the maximum. */
export const DEFAULT_PAGE = 100
export const MAX_PAGE = 500
/**
 * Maximum number of ids that are read for one page. Most may belong to sessions that have ended, which are not listed.
 */
const MAX_READ = 2_000
/** Ids per read. It is larger than a default page, so that one read also shows whether another page follows. */
const BATCH = 120

/** One page of a subject's sessions. */
export interface SessionPage {
  /** Oldest first. */
  readonly sessions: Session[]
  /** The cursor of the next page; `undefined` on the last page. */
  readonly next: string | undefined
}

export interface PageOptions {
  /** `next` of the previous page. Default: the first page. */
  readonly cursor?: string | undefined
  /** Maximum number of sessions: 1 to 500. Default: 100. */
  readonly limit?: number | undefined
}

/**
 * Lists the active sessions of a subject.
 *
 * Pages are ordered by the latest possible end of the sessions. That is the order of the logins if `tokens.absolute` is
 * set, else the order of the last refreshes. A page may have fewer than `limit` sessions even if another page follows.
 *
 * @throws {RangeError} if the cursor or the limit isn't valid
 * @throws {PortcullisError} `store_unavailable`
 */
export async function listSessions(
  { store, clock }: Pick<SessionDependencies, 'store' | 'clock'>,
  sub: string,
  { cursor, limit = DEFAULT_PAGE }: PageOptions = {},
): Promise<SessionPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new RangeError(`limit must be a whole number from 1 to ${MAX_PAGE}`)
  }
  let after = cursor === undefined ? undefined : parseCursor(cursor)
  const now = clock.now()
  const sessions: Session[] = []
  for (let read = 0; read < MAX_READ; read += BATCH) {
    const found = await store.indexed(sub, now, BATCH, after)
    for (const entry of found) {
      if (sessions.length === limit) return { sessions: sortByAge(sessions), next: formatCursor(after!) }
      sessions.push(...selectLiving([entry], now))
      after = entry
    }
    if (found.length < BATCH) return { sessions: sortByAge(sessions), next: undefined }
  }
  return { sessions: sortByAge(sessions), next: formatCursor(after!) }
}

/** Returns the sessions that are stored and haven't expired, oldest first. */
export function selectLiving(found: readonly IndexedSession[], now: UnixMs): Session[] {
  const sessions = found.flatMap(({ session }) => session ?? [])
  return sortByAge(sessions.filter(({ expiresAt }) => expiresAt > now))
}

function sortByAge(sessions: readonly Session[]): Session[] {
  return sessions.toSorted((a, b) => a.createdAt - b.createdAt || (a.sid < b.sid ? -1 : 1))
}

function formatCursor({ latestEnd, sid }: IndexPlace): string {
  return `${latestEnd}.${sid}`
}

function parseCursor(cursor: string): IndexPlace {
  const match = /^(\d{1,16})\.([\w-]{1,64})$/.exec(cursor)
  if (!match) throw new RangeError('cursor must be the next_cursor of the previous page')
  return { latestEnd: Number(match[1]), sid: match[2] as Sid }
}
