import t from 'tap'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { MemoryCodeStore } from '../../src/store/memory-code-store.js'
import { MemorySessionStore } from '../../src/store/memory-session-store.js'
import { MovableClock } from '../support/movable-clock.js'
import { LONG_LIFE, instance } from '../support/sessions.js'
import { codesContract } from './codes.contract.js'

codesContract(t, async (_t, rules) => {
  const clock = new MovableClock(1_800_000_000_250)
  const adapters = {
    store: new MemorySessionStore(),
    codes: new MemoryCodeStore(),
    denylist: new MemoryDenylist(clock, LONG_LIFE),
  }
  return { ...instance(adapters, clock, rules), advance: async (milliseconds) => clock.advance(milliseconds) }
})
