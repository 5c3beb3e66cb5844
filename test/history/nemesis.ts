/** Does one fault after another, and waits after each until all gateways are ready again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultKind, Rig } from './faults.js'
import type { Gateway } from './gateway.js'
import type { Fault, Operation } from './history.js'

export interface NemesisOptions {
  readonly rig: Rig
  readonly faults: readonly FaultKind[]
  readonly history: { readonly operations: Operation[]; readonly faults: Fault[] }
  /** Bounds of the time without a fault between two, in ms. */
  readonly calm: readonly [low: number, high: number]
  readonly say: (line: string) => void
}

/** The promise is 5 s; the rest is for a machine that has other things to do. */
const READY_MILLISECONDS = 15_000

export async function runNemesis(options: NemesisOptions, stopping: AbortSignal): Promise<void> {
  const { rig, history, calm, say } = options
  while (!stopping.aborted) {
    await sleep(rig.random.between(...calm), undefined, { signal: stopping }).catch(() => {})
    if (stopping.aborted) return
    const kind = pick(options)
    // What it has done so far must excuse what happens before it is written down with its end.
    const fault = { name: kind.name, begunAt: performance.now(), endedAt: Number.POSITIVE_INFINITY }
    const at = history.faults.push(fault) - 1
    const more = await kind.run(rig)
    const late = await untilReady(rig.gateways)
    for (const gateway of late) {
      const last = gateway.output().split('\n').slice(-4).join('\n')
      say(
        `instance ${gateway.index} isn't ready ${READY_MILLISECONDS / 1000} s after "${kind.name}"\n${last}`,
      )
      history.operations.push(notReady(gateway, kind.name))
      await gateway.kill()
      await gateway.start()
    }
    if (late.length > 0) await untilReady(late)
    history.faults[at] = { ...fault, ...more, endedAt: performance.now() }
  }
}

function pick({ faults, rig }: NemesisOptions): FaultKind {
  let at = rig.random.next() * faults.reduce((sum, { weight }) => sum + weight, 0)
  return faults.find(({ weight }) => (at -= weight) < 0)!
}

/** Gives those that aren't, after all. */
export async function untilReady(gateways: readonly Gateway[]): Promise<Gateway[]> {
  const deadline = performance.now() + READY_MILLISECONDS
  for (;;) {
    const ready = await Promise.all(gateways.map((gateway) => gateway.isReady()))
    const late = gateways.filter((_, i) => !ready[i])
    if (late.length === 0 || performance.now() > deadline) return late
    await sleep(50)
  }
}

const notReady = ({ index }: Gateway, fault: string): Operation => ({
  client: 'nemesis',
  name: `readyz after ${fault}`,
  instance: index,
  invokedAt: performance.now() - READY_MILLISECONDS,
  completedAt: performance.now(),
  status: 503,
  code: 'not_ready',
})
