/** The simulated store ends sessions as the real stores do. Limits in time and number aren't simulated. */
import t from 'tap'
import type { SessionStore } from '../../src/store/session-store.js'
import { MovableClock } from '../support/movable-clock.js'
import { endingContract } from '../store/ending.contract.js'
import type { StoreHarness } from '../support/session-store.js'
import { reuseContract } from '../store/reuse.contract.js'
import { BEGINNING, Clocks } from './clocks.js'
import { Node } from './node.js'
import { Random } from './random.js'
import { SimulatedStore } from './session-store.js'
import { World } from './world.js'

/** More than two commands in a row take on a calm network. */
const WHILE = 20

async function open(): Promise<StoreHarness> {
  const settings = { lease: 1_000, horizon: 60_000, tolerance: 2_000, leeway: 0 }
  const world = new World({ random: new Random(1), settings, onLostHistory: 'heal', page: 100 })
  const simulated = new SimulatedStore(new Node(world, 'i0', new Clocks()))
  const clock = new MovableClock(BEGINNING)
  let turn: Promise<unknown> = Promise.resolve()
  /** Lets the simulated time pass after each call. */
  const store = new Proxy<SessionStore>(simulated, {
    get(target, name: keyof SessionStore) {
      return (...args: unknown[]) => {
        const result = (target[name] as (...args: unknown[]) => Promise<unknown>).call(target, ...args)
        result.catch(() => {})
        world.stir()
        turn = turn.then(() => world.play(world.t + WHILE))
        return turn.then(() => result)
      }
    },
  })
  const advance = async (milliseconds: number) => {
    clock.advance(milliseconds)
    await world.play(world.t + milliseconds)
  }
  return { store, clock, advance }
}

endingContract(t, open)
reuseContract(t, open)
