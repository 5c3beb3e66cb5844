/** Lists the sessions of a subject, a page at a time. */
import type { UnixMs } from '../clock.js'
import type { IndexedSession, IndexPlace } from '../store/session-store.js'
import type { SessionDependencies } from './dependencies.js'
import type { Session, Sid } from './session.js'

/** How many sessions a page has, unless the caller says otherwise, and at most. */
export const DEFAULT_PAGE = 100
export const MAX_PAGE = 500
/** How many ids one page looks at: expired and ended sessions among them take no place in it. */
const MAX_LOOKED_AT = 2_000
/** How many ids are read at once: a little more than a default page, whose end is then seen without another read. */
const BATCH = 120

export interface SessionPage {
  /** Oldest first. */
  readonly sessions: Session[]
  /** Where the next page begins; undefined after the last. */
  readonly next: string | undefined
}

export interface PageOptions {
  /** `next` of the page before. */
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
}

/**
 * Lists living sessions. Pages follow the latest possible end of the sessions; that is their age if `tokens.absolute`
 * is set, and how long they weren't refreshed otherwise. A page may have fewer sessions than `limit` though others
 * follow.
 *
 * @throws {RangeError} for a cursor or limit that can't be used
 * @throws {PortcullisError} `store_unavailable`
 */
export async function listSessions(
  { store, clock }: Pick<SessionDependencies, 'store' | 'clock'>,
  sub: string,
  { cursor, limit = DEFAULT_PAGE }: PageOptions = {},
): Promise<SessionPage> {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new RangeError(`limit: a whole number from 1 to ${MAX_PAGE}`)
  }
  let after = cursor === undefined ? undefined : parseCursor(cursor)
  const now = clock.now()
  const sessions: Session[] = []
  for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += BATCH) {
    const found = await store.indexed(sub, now, BATCH, after)
    for (const one of found) {
      if (sessions.length === limit) return { sessions: byAge(sessions), next: formatCursor(after!) }
      sessions.push(...selectLiving([one], now))
      after = one
    }
    if (found.length < BATCH) return { sessions: byAge(sessions), next: undefined }
  }
  return { sessions: byAge(sessions), next: formatCursor(after!) }
}

/** The living sessions among those found, oldest first. */
export function selectLiving(found: readonly IndexedSession[], now: UnixMs): Session[] {
  const sessions = found.flatMap(({ session }) => session ?? [])
  return byAge(sessions.filter(({ expiresAt }) => expiresAt > now))
}

function byAge(sessions: readonly Session[]): Session[] {
  return sessions.toSorted((a, b) => a.createdAt - b.createdAt || (a.sid < b.sid ? -1 : 1))
}

function formatCursor({ latestEnd, sid }: IndexPlace): string {
  return `${latestEnd}.${sid}`
}

function parseCursor(cursor: string): IndexPlace {
  const match = /^(\d{1,16})\.([\w-]{1,64})$/.exec(cursor)
  if (!match) throw new RangeError('cursor: the next_cursor of the page before')
  return { latestEnd: Number(match[1]), sid: match[2] as Sid }
}
