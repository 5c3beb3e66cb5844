import type { Instance } from './gateway-instances.js'
import { guarded } from './gateway-instances.js'

export interface Tokens {
  /** Denied by a revoke that has returned: must never be admitted. */
  readonly revoked: readonly string[]
  readonly good: readonly string[]
}

export interface Tally {
  /** What was answered to revoked tokens: how often each status and code. */
  readonly revoked: Readonly<Record<string, number>>
  readonly good: Readonly<Record<string, number>>
  readonly slowestMilliseconds: number
  /** The longest time in which no good token was admitted, of any instance. */
  readonly gapMilliseconds: number
}

/** Asks each instance without a pause, with a revoked and a good token in turn, until it is stopped. */
export function startTraffic(
  instances: readonly Instance[],
  { revoked, good }: Tokens,
): { stop(): Promise<Tally> } {
  const tally = { revoked: {}, good: {}, slowestMilliseconds: 0, gapMilliseconds: 0 }
  const stopping = new AbortController()

  const ask = async (instance: Instance, token: string, counts: Record<string, number>) => {
    const { status, body, milliseconds } = await guarded(instance, token)
    const what = status === 200 ? 'admitted' : `${status} ${String(body?.code)}`
    counts[what] = (counts[what] ?? 0) + 1
    tally.slowestMilliseconds = Math.max(tally.slowestMilliseconds, milliseconds)
    return status
  }
  const follow = async (instance: Instance) => {
    let admittedAt = performance.now()
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      const [dead, alive] = [revoked[turn % revoked.length], good[turn % good.length]]
      if (dead !== undefined) await ask(instance, dead, tally.revoked)
      if (alive === undefined || (await ask(instance, alive, tally.good)) !== 200) continue
      const now = performance.now()
      tally.gapMilliseconds = Math.max(tally.gapMilliseconds, now - admittedAt)
      admittedAt = now
    }
  }
  const done = Promise.all(instances.map(follow))
  return {
    async stop() {
      stopping.abort()
      await done
      return tally
    },
  }
}
