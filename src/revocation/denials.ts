/** What is denied now, for people: from the denylist keys, which have the reasons. */
import { Cluster } from 'ioredis'
import { storeUnavailable } from '../errors.js'
import type { Keys } from '../store/keys.js'
import type { RedisClient } from '../store/redis-client.js'
import { MOST_LISTED } from './port.js'
import type { Denied } from './port.js'

/**
 * The denials in force whose id or reason has the text in it, in no order, and `MOST_LISTED` at the most.
 *
 * @throws {Refusal} `store_unavailable`
 */
export async function listDenials(redis: RedisClient, keys: Keys, search = ''): Promise<Denied[]> {
  const nodes = redis instanceof Cluster ? redis.nodes('master') : [redis]
  const prefix = keys.deny('', '').slice(0, -1)
  const found: Denied[] = []
  try {
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, names] = await node.scan(cursor, 'MATCH', `${escapeGlob(prefix)}*`, 'COUNT', 1_000)
        cursor = next
        const values = names.length > 0 ? await node.mget(names) : []
        names.forEach((name, i) => {
          const denied = parseDenied(name.slice(prefix.length), values[i])
          if (denied && (denied.id.includes(search) || denied.reason.includes(search))) found.push(denied)
        })
      } while (cursor !== '0' && found.length < MOST_LISTED)
    }
  } catch (error) {
    throw storeUnavailable(error)
  }
  return found.slice(0, MOST_LISTED)
}

/** `<kind>:<id>` and `before until reason`. */
function parseDenied(name: string, value: string | null | undefined): Denied | undefined {
  const match = /^(\d+) (\d+) ?(.*)$/s.exec(value ?? '')
  const colon = name.indexOf(':')
  if (!match || colon < 0) return undefined
  const [, before, until, reason = ''] = match
  return {
    kind: name.slice(0, colon),
    id: name.slice(colon + 1),
    before: Number(before),
    until: Number(until),
    reason,
  }
}

function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]]/g, String.raw`\$&`)
}
