import type { UnixSeconds } from '../../clock.js'

/** The seconds per bucket. A bucket expires when its last second has passed. */
const BUCKET_SECONDS = 16
/**
 * The number of Maps that share the entries. A Map that grows copies itself, which blocks for 0.1 s with a million
 * entries. Many small Maps grow at different times. An id is in the same shard in every process, so that several
 * instances can iterate from different shards.
 */
const SHARDS = 1_024

/** An order of all shards: the first one, and the distance to the next. `step` must be odd to reach all of them. */
export interface Walk {
  readonly first: number
  readonly step: number
}

const IN_ORDER: Walk = { first: 0, step: 1 }

/** Returns the walk of an instance, derived from the hash of its name. */
export function createWalk(name: string): Walk {
  let hash = 0x811c9dc5 // FNV-1a
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return { first: (hash >>> 20) % SHARDS, step: ((hash >>> 2) % SHARDS) | 1 }
}

/** A map of ids to the second in which they expire. Ids are grouped into buckets by time, which makes expiry cheap. */
export class ExpiringMap {
  readonly #shards: (Map<string, UnixSeconds> | undefined)[] = []
  readonly #buckets = new Map<number, string[]>()
  /** A lower bound of the bucket numbers. */
  #firstBucket = Number.POSITIVE_INFINITY
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: string): UnixSeconds | undefined {
    return this.#shards[selectShard(id)]?.get(id)
  }

  /** Adds an id, or extends its time. The time of an id never becomes shorter. */
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

  /** Iterates over all entries. It skips entries that are deleted meanwhile, and may visit entries that are added. */
  *entries({ first, step }: Walk = IN_ORDER): Generator<[string, UnixSeconds]> {
    for (let i = 0; i < SHARDS; i += 1) {
      const shard = this.#shards[(first + i * step) % SHARDS]
      if (shard) yield* shard
    }
  }

  /**
   * Removes expired ids, one bucket at a time. An id may stay for up to 16 s after its time, until its bucket expires.
   *
   * @returns The removed ids.
   */
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
        // An id whose time was extended is in a later bucket, too.
        if (until === undefined || until > second) continue
        this.delete(id)
        gone.push(id)
      }
    }
    return gone
  }
}

/**
 * Returns the shard of an id, from two characters near its end. They are random in ids of tokens and sessions. The
 * first 8 characters may be a jti prefix, which many ids share, and the last one has few different values.
 */
function selectShard(id: string): number {
  const { length } = id
  return ((id.charCodeAt(length - 3) & 31) << 5) | (id.charCodeAt(length - 4) & 31)
}
