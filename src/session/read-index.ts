import type { UnixMs } from '../clock.js'
import type { IndexedSession, IndexPlace, SessionStore } from '../store/session-store.js'

/** Number of index entries per read. */
const PAGE = 500

/** Reads all ids of a subject's index, with their records, in pages. */
export async function* readIndex(
  store: Pick<SessionStore, 'indexed'>,
  sub: string,
  now: UnixMs,
): AsyncGenerator<IndexedSession> {
  let after: IndexPlace | undefined
  for (;;) {
    const page = await store.indexed(sub, now, PAGE, after)
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)
  }
}
