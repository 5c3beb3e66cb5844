/** Wall clocks of one gateway that are wrong, within the 2 s that the protocol allows or far beyond. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultKind, Rig } from './faults.js'
import { anyGateway, hold } from './faults.js'

async function wrongBy(rig: Rig, milliseconds: number, work: () => Promise<unknown>) {
  const gateway = anyGateway(rig)
  await gateway.moveClock(milliseconds)
  await work()
  await gateway.moveClock(0)
  return { instance: gateway.index, clock: milliseconds }
}

const stepped: FaultKind = {
  name: 'clock stepped',
  weight: 2,
  run(rig) {
    const step = rig.random.between(300, 1_900) * (rig.random.chance(0.5) ? 1 : -1)
    return wrongBy(rig, step, () => hold(rig, 100, 4_000))
  },
}

/** Tokens that others mint seem to come from the future. */
const behind: FaultKind = {
  name: 'clock behind',
  weight: 2,
  run: (rig) => wrongBy(rig, -rig.random.between(1_100, 1_900), () => hold(rig, 3_000, 6_000)),
}

/** Every denylist entry seems to have expired. */
const ahead: FaultKind = {
  name: 'clock 20 minutes ahead',
  weight: 2,
  async run(rig) {
    const { actor, book, gateways } = rig
    const fault = await wrongBy(rig, 20 * 60_000, () => sleep(300))
    await rig.settle()
    const tokens = book.lastEnded(10)
    await Promise.all(tokens.flatMap((held) => gateways.map(({ index }) => actor.guarded(index, held))))
    return fault
  },
}

export const clocks: readonly FaultKind[] = [stepped, behind, ahead]
