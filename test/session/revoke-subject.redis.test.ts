import t from 'tap'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { issue } from '../../src/session/issue.js'
import { revoke } from '../../src/session/revoke.js'
import { openOnRedis } from '../support/redis-session-store.js'
import { instance, LIFE, outcomeOf, twoInstances } from '../support/sessions.js'
import { living } from '../support/session-store.js'
import { revokeSubjectContract } from './revoke-subject.contract.js'

revokeSubjectContract(t, async (t) => {
  const { store, clock, advance } = await openOnRedis(t)
  // In memory, because its clock moves with that of the store.
  const denylist = new MemoryDenylist(clock, LIFE)
  return { ...instance({ store, denylist }, clock), advance }
})

for (const check of ['replica', 'redis'] as const) {
  t.test(`${check}: no session of a login that raced a revoke on another instance is left`, async (t) => {
    const [one, two] = await twoInstances(t, check)
    for (let round = 0; round < 8; round += 1) {
      const sub = `alice-${round}`
      const revoking = revoke(two.ports, { sub })
      const logins = Array.from({ length: 6 }, (_, i) =>
        outcomeOf(() => issue((i % 2 === 0 ? one : two).ports, { sub })),
      )
      await revoking
      const revokedAt = Date.now()
      // A login that found the entry waited, and began its session later.
      await Promise.all(logins)
      const early = (await living(two.ports.store, sub, Date.now())).filter(
        ({ createdAt }) => createdAt < revokedAt,
      )
      t.same(early, [], `round ${round}`)
    }
  })
}
