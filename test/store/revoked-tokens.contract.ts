import type { Test } from 'tap'
import { MINUTE } from '../support/session-store.js'
import type { OpenStore } from '../support/session-store.js'

/** Access tokens that were revoked, which the single scheme must not renew. */
export function revokedTokensContract(t: Test, open: OpenStore): void {
  t.test('a revoked token is recorded for its time', async (t) => {
    const harness = await open(t)
    const { store, clock } = harness
    const isRevoked = (jti: string) => store.isRecordedAsRevoked(jti, clock.now())
    await store.recordRevokedToken('one', clock.now(), MINUTE)
    t.equal(await isRevoked('one'), true)
    t.equal(await isRevoked('other'), false)
    await harness.advance(MINUTE - 1_000)
    t.equal(await isRevoked('one'), true)
    await harness.advance(1_000)
    t.equal(await isRevoked('one'), false)
  })
}
