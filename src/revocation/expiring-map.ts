import type { UnixSeconds } from '../clock.js'

/** Seconds that share a bucket; one leaves when its last second has passed. */
const BUCKET_SECONDS = 16
/**
 * A Map that doubles copies itself, and a million entries take a tenth of a second for that; sixteen smaller ones
 * take their turns.
 */
const SHARDS = 16

/** Ids, each with the second that it expires in. Kept in buckets of seconds, so that millions of them stay cheap. */
export class ExpiringMap {
  readonly #shards = Array.from({ length: SHARDS }, () => new Map<string, UnixSeconds>())
  readonly #buckets = new Map<number, string[]>()

  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: string): UnixSeconds | undefined {
    return this.#shardOf(id).get(id)
  }

  /** Keeps the id until this second, or as long as it is kept already. */
  lengthen(id: string, until: UnixSeconds): void {
    const shard = this.#shardOf(id)
    const former = shard.get(id)
    if (former !== undefined && former >= until) return
    if (former === undefined) this.#size += 1
    shard.set(id, until)
    const bucket = Math.floor(until / BUCKET_SECONDS)
    const ids = this.#buckets.get(bucket)
    if (ids) ids.push(id)
    else this.#buckets.set(bucket, [id])
  }

  delete(id: string): void {
    if (this.#shardOf(id).delete(id)) this.#size -= 1
  }

  *entries(): Generator<[string, UnixSeconds]> {
    for (const shard of this.#shards) yield* shard
  }

  /** Forgets what was kept until this second or an earlier one, bucket by bucket; says which ids. */
  expire(second: UnixSeconds): string[] {
    const gone: string[] = []
    for (const [bucket, ids] of this.#buckets) {
      if ((bucket + 1) * BUCKET_SECONDS > second) continue
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

  #shardOf(id: string): Map<string, UnixSeconds> {
    // Where our ids are random: neither in the mark at the front, nor in the last character, which has few values.
    return this.#shards[id.charCodeAt(id.length - 3) & (SHARDS - 1)] ?? this.#shards[0]!
  }
}
