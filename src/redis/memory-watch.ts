import { Cluster } from 'ioredis'
import type { Milliseconds } from '../clock.js'
import type { RedisClient } from './redis-client.js'

/** The time between two samples. `INFO memory` takes Redis about 40 µs. */
const INTERVAL: Milliseconds = 1_000
/**
 * The part of `maxmemory` up to which new sessions are stored. The rest is for what must never fail: the ends of
 * sessions, denylist entries and refreshes.
 */
const MAX_USAGE = 0.9

/**
 * Watches how much of its memory Redis uses (`maxmemory`), in a Cluster on the fullest primary. It keeps the last sample
 * while Redis doesn't respond. If an ACL forbids `INFO`, the usage is 0.
 */
export class MemoryWatch {
  readonly #redis: RedisClient
  readonly #onChange: (isShort: boolean, usage: number) => void
  #usage = 0
  #timer: NodeJS.Timeout | undefined
  #isSampling = false

  /** @param onChange Called when memory becomes short, and when it is free again. */
  constructor(redis: RedisClient, onChange: (isShort: boolean, usage: number) => void) {
    this.#redis = redis
    this.#onChange = onChange
  }

  /** The used part of `maxmemory`: 0 if there is no limit, more than 1 if Redis is full. */
  get usage(): number {
    return this.#usage
  }

  get isShort(): boolean {
    return this.#usage > MAX_USAGE
  }

  /** Takes the first sample, and then one per second until `stop`. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.#sample(), INTERVAL).unref()
    await this.#sample()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #sample(): Promise<void> {
    if (this.#isSampling) return
    this.#isSampling = true
    const servers = this.#redis instanceof Cluster ? this.#redis.nodes('master') : [this.#redis]
    const samples = await Promise.allSettled(servers.map(async (server) => server.info('memory')))
    this.#isSampling = false
    const texts = samples.flatMap((sample) => (sample.status === 'fulfilled' ? [sample.value] : []))
    if (texts.length === 0) return
    const wasShort = this.isShort
    this.#usage = Math.max(...texts.map(parseUsage))
    if (this.isShort !== wasShort) this.#onChange(this.isShort, this.#usage)
  }
}

/** Returns the usage by which Redis decides whether it is out of memory. It doesn't count the buffers of replicas. */
export function parseUsage(info: string): number {
  const read = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  const limit = read('maxmemory')
  return limit === 0 ? 0 : (read('used_memory') - read('mem_not_counted_for_evict')) / limit
}
