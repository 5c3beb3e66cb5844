import type { UnixSeconds } from '../../clock.js'

/** Seconds that share a bucket; one leaves when its last second has passed. */
const BUCKET_SECONDS = 16
/**
 * A Map that doubles copies itself, and a million entries take a tenth of a second for that; many smaller ones take
 * their turns. Their ids are the same in every process, so that several can walk through them from different places.
 */
const SHARDS = 1_024

/** Which shard is visited first, and how many lie between two visits; `step` is odd, so that each has its turn. */
export interface Walk {
  readonly first: number
  readonly step: number
}

const IN_ORDER: Walk = { first: 0, step: 1 }

/** A walk of its own for each name. */
export function createWalk(name: string): Walk {
  let hash = 0x811c9dc5 // FNV-1a
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return { first: (hash >>> 20) % SHARDS, step: ((hash >>> 2) % SHARDS) | 1 }
}

/** Ids, each with the second that it expires in. Kept in buckets of seconds, so that millions of them stay cheap. */
export class ExpiringMap {
  readonly #shards: (Map<string, UnixSeconds> | undefined)[] = []
  readonly #buckets = new Map<number, string[]>()
  /** None is earlier. */
  #firstBucket = Number.POSITIVE_INFINITY
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: string): UnixSeconds | undefined {
    return this.#shards[selectShard(id)]?.get(id)
  }

  /** Keeps the id until this second, or as long as it is kept already. */
  lengthen(id: string, until: UnixSeconds): void {
    const shard = (this.#shards[selectShard(id)] ??= new Map())
    const former = shard.get(id)
    if (former !== undefined && former >= until) return
    if (former === undefined) this.#size += 1
    shard.set(id, until)
    const bucket = Math.floor(until / BUCKET_SECONDS)
    const ids = this.#buckets.get(bucket)
    if (ids) ids.push(id)
    else this.#buckets.set(bucket, [id])
    this.#firstBucket = Math.min(bucket, this.#firstBucket)
  }

  delete(id: string): void {
    if (!this.#shards[selectShard(id)]?.delete(id)) return
    this.#size -= 1
    if (this.#size === 0) this.#buckets.clear()
  }

  /** What is deleted meanwhile isn't visited; what is added may be. */
  *entries({ first, step }: Walk = IN_ORDER): Generator<[string, UnixSeconds]> {
    for (let i = 0; i < SHARDS; i += 1) {
      const shard = this.#shards[(first + i * step) % SHARDS]
      if (shard) yield* shard
    }
  }

  /** Forgets what was kept until this second or an earlier one, bucket by bucket; says which ids. */
  expire(second: UnixSeconds): string[] {
    if ((this.#firstBucket + 1) * BUCKET_SECONDS > second) return []
    const gone: string[] = []
    this.#firstBucket = Number.POSITIVE_INFINITY
    for (const [bucket, ids] of this.#buckets) {
      if ((bucket + 1) * BUCKET_SECONDS > second) {
        this.#firstBucket = Math.min(bucket, this.#firstBucket)
        continue
      }
      this.#buckets.delete(bucket)
      for (const id of ids) {
        const until = this.get(id)
        // One that was lengthened stands in a later bucket, too.
        if (until === undefined || until > second) continue
        this.delete(id)
        gone.push(id)
      }
    }
    return gone
  }
}

/**
 * By the two characters that are random in our ids: neither in the mark at the front, nor the last, which has few values.
 */
function selectShard(id: string): number {
  const { length } = id
  return ((id.charCodeAt(length - 3) & 31) << 5) | (id.charCodeAt(length - 4) & 31)
}
