import t from 'tap'
import { MemoryCodeStore } from '../../src/store/memory-code-store.js'
import { MovableClock } from '../support/movable-clock.js'
import { codeStoreContract, LIFE, store, use } from './code-store.contract.js'
import type { CodeHarness } from './code-store.contract.js'

async function open(): Promise<CodeHarness> {
  const clock = new MovableClock()
  return {
    clock,
    codes: new MemoryCodeStore(),
    advance: async (milliseconds) => clock.advance(milliseconds),
  }
}

codeStoreContract(t, open)

t.test('expired codes are removed, and the others stay', async (t) => {
  const harness = await open()
  const expired = await store(harness)
  await harness.advance(LIFE)
  const kept = await store(harness)
  for (let i = 0; i < 2_500; i += 1) await store(harness)
  // By the time at which it was good.
  t.equal((await use(harness, expired, { now: expired.createdAt })).kind, 'unknown')
  t.equal((await use(harness, kept)).kind, 'used')
})
