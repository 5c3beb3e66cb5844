import t from 'tap'
import { MemorySessionStore } from '../../src/store/memory-session-store.js'
import { MovableClock } from '../support/movable-clock.js'
import { begin, end, use, IDLE, SECOND, TOMBSTONE } from '../support/session-store.js'
import type { StoreHarness } from '../support/session-store.js'
import { sessionStoreContract } from './session-store.contract.js'

async function open(): Promise<StoreHarness> {
  const clock = new MovableClock()
  return {
    clock,
    store: new MemorySessionStore(),
    advance: async (milliseconds) => clock.advance(milliseconds),
  }
}

sessionStoreContract(t, open)

t.test('expired records are removed even among thousands of others', async (t) => {
  const harness = await open()
  const idle = await begin(harness)
  const ended = await begin(harness)
  await end(harness, ended.session.sid)
  const kept = await begin(harness, { idle: 0 })
  await harness.advance(IDLE + 3 * SECOND + TOMBSTONE)
  for (let i = 0; i < 2_500; i += 1) await begin(harness)
  t.equal((await use(harness, idle.token)).outcome.kind, 'unknown')
  t.equal((await use(harness, ended.token)).outcome.kind, 'unknown')
  t.equal((await use(harness, kept.token)).outcome.kind, 'rotated')
})
