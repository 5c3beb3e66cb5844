import { randomBytes } from 'node:crypto'
import type { RedisLog } from '../src/revocation/replica/redis-log.js'

/** Writes denylist entries for sessions to the log, in batches of a thousand. */
export async function fillLog(log: RedisLog, count: number): Promise<void> {
  for (let done = 0; done < count; done += 1_000) {
    const entries = Array.from({ length: Math.min(1_000, count - done) }, () => ({
      kind: 'sid' as const,
      id: randomBytes(16).toString('base64url'),
      before: 0,
      until: undefined,
      reason: 'logout',
    }))
    await log.revoke(entries, Date.now())
  }
}
