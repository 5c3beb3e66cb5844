/** How a directed schedule begins. */
import type { OnLostHistory } from '../../src/revocation/replica/instance.js'
import { Clocks } from './clocks.js'
import { Node } from './node.js'
import { Random } from './random.js'
import type { Switches } from './schedule.js'
import { Workload } from './workload.js'
import { World } from './world.js'

export type Scenario = (seed: number, switches?: Switches) => World

interface Start {
  readonly onLostHistory?: OnLostHistory
  readonly page?: number
  readonly rates?: readonly number[]
}

/** Instances that are up and have a lease, and a session with a token for each. */
export function begin(
  seed: number,
  switches: Switches,
  { onLostHistory = 'reject', page = 100, rates = [1, 1, 1] }: Start,
) {
  const settings = { lease: 1_000, horizon: 60_000, tolerance: 2_000, leeway: 0 }
  const world = new World({ random: new Random(seed), settings, onLostHistory, page, ...switches })
  const nodes = rates.map((rate, i) => new Node(world, `i${i}`, new Clocks({ rate })))
  const workload = new Workload(world)
  world.run(1_700)
  for (const node of nodes) workload.mint(node)
  world.run(1_900 + world.random.between(0, 300))
  return { world, nodes, workload, random: world.random, tokens: world.checker.tokens }
}

export function bySid(id: string) {
  return { kind: 'sid', id, before: 0, until: undefined, reason: '' } as const
}
