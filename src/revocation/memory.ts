import { randomBytes } from 'node:crypto'
import { toSeconds } from '../clock.js'
import type { Clock, UnixMs, UnixSeconds } from '../clock.js'
import { denialLife } from './port.js'
import type { Denial, DenialLife, Entry, Revocable, Revocation, Stamp } from './port.js'

const SWEEP_EVERY = 1_000

/**
 * The denylist of the embedded mode. It forgets when the process ends; so that forgetting fails closed, tokens of
 * before its start are refused: those whose `iat` isn't later than the second of the start, unless their `jti` bears
 * the mark that only tokens of this very process have.
 */
export class MemoryDenylist implements Revocation {
  readonly #clock: Clock
  readonly #life: DenialLife
  readonly #since: UnixSeconds
  readonly #mark = randomBytes(6).toString('base64url')
  readonly #until = new Map<string, UnixMs>()
  #untilSweep = SWEEP_EVERY

  constructor(clock: Clock, life: DenialLife) {
    this.#clock = clock
    this.#life = life
    this.#since = toSeconds(clock.now())
  }

  check({ jti, sid, iat }: Revocable): Denial | undefined {
    if (iat <= this.#since && !jti.startsWith(this.#mark)) return 'history'
    if (this.#denies('sid', sid)) return 'sid'
    if (this.#denies('jti', jti)) return 'jti'
    return undefined
  }

  async revoke(entries: readonly Entry[]): Promise<void> {
    const now = this.#clock.now()
    for (const entry of entries) {
      const key = `${entry.kind}:${entry.id}`
      const until = now + denialLife(entry, this.#life, now)
      this.#until.set(key, Math.max(until, this.#until.get(key) ?? 0))
    }
    this.#sweep(now, entries.length)
  }

  stamp(): Stamp {
    return { issuedAt: toSeconds(this.#clock.now()), mark: this.#mark }
  }

  #denies(kind: Entry['kind'], id: string): boolean {
    const until = this.#until.get(`${kind}:${id}`)
    return until !== undefined && this.#clock.now() < until
  }

  #sweep(now: UnixMs, added: number): void {
    this.#untilSweep -= added
    if (this.#untilSweep > 0) return
    this.#untilSweep = Math.max(SWEEP_EVERY, this.#until.size)
    for (const [key, until] of this.#until) if (now >= until) this.#until.delete(key)
  }
}
