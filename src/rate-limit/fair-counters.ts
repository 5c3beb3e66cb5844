import type { Milliseconds, UnixMs } from '../clock.js'

/** The state of a counter: the count, and the time until its window ends. */
export interface CounterState {
  readonly current: number
  readonly ttl: Milliseconds
}

interface Counter {
  count: number
  readonly endsAt: UnixMs
  level: number
}

/** The level of a counter that has reached its limit. Below it, a level is the binary logarithm of the count. */
const LOCKED = 16
/** Counters that are looked at for their end whenever one is added. */
const SWEEP = 2

/**
 * A bounded number of counters in fixed windows. When there is no room for another counter, the one with the lowest
 * count makes room, and among equals the oldest. So a flood of invented names, which have low counts, neither resets
 * the counter of a name that is locked out nor one that soon will be.
 */
export class FairCounters {
  readonly #capacity: number
  readonly #counters = new Map<string, Counter>()
  readonly #levels = Array.from({ length: LOCKED + 1 }, () => new Level())
  #sweep = this.#counters.entries()

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#counters.size
  }

  read(key: string, now: UnixMs): CounterState {
    const counter = this.#counters.get(key)
    if (counter === undefined || counter.endsAt <= now) return { current: 0, ttl: 0 }
    return { current: counter.count, ttl: counter.endsAt - now }
  }

  /** Counts one. A new window begins if the last one has ended. */
  increment(key: string, { max, per }: { max: number; per: Milliseconds }, now: UnixMs): CounterState {
    let counter = this.#counters.get(key)
    if (counter && counter.endsAt <= now) {
      this.#delete(key, counter)
      counter = undefined
    }
    counter ??= this.#add(key, now + per, now)
    counter.count += 1
    const level = counter.count >= max ? LOCKED : Math.min(LOCKED - 1, Math.floor(Math.log2(counter.count)))
    if (level !== counter.level) {
      this.#levels[counter.level]!.delete(key)
      this.#levels[level]!.add(key)
      counter.level = level
    }
    return { current: counter.count, ttl: counter.endsAt - now }
  }

  #add(key: string, endsAt: UnixMs, now: UnixMs): Counter {
    for (let n = 0; n < SWEEP; n += 1) this.#sweepOne(now)
    if (this.#counters.size >= this.#capacity) {
      const oldest = this.#levels.find((level) => level.size > 0)!.oldest()
      this.#delete(oldest, this.#counters.get(oldest)!)
    }
    const counter: Counter = { count: 0, endsAt, level: 0 }
    this.#counters.set(key, counter)
    this.#levels[0]!.add(key)
    return counter
  }

  /** Deletes the next counter if its window has ended. Otherwise ended counters with high counts would never leave. */
  #sweepOne(now: UnixMs): void {
    const { done, value } = this.#sweep.next()
    if (done) this.#sweep = this.#counters.entries()
    else if (value[1].endsAt <= now) this.#delete(...value)
  }

  #delete(key: string, { level }: Counter): void {
    this.#counters.delete(key)
    this.#levels[level]!.delete(key)
  }
}

/** The keys of one level, the oldest first. */
class Level {
  readonly #keys = new Set<string>()
  /** Kept, because a new iterator would have to skip the slots of all deleted keys. */
  #iterator = this.#keys.values()

  get size(): number {
    return this.#keys.size
  }

  add(key: string): void {
    this.#keys.add(key)
  }

  delete(key: string): void {
    this.#keys.delete(key)
  }

  /** Returns the oldest key, which the caller must delete. The level must not be empty. */
  oldest(): string {
    const { done, value } = this.#iterator.next()
    if (!done) return value
    this.#iterator = this.#keys.values()
    return this.#iterator.next().value!
  }
}
