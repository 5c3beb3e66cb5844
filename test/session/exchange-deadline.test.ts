/** The Redis work of one exchange has one deadline, however many steps it has. */
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { STORE_DEADLINE } from '../../src/deadline.js'
import { issue } from '../../src/session/issue.js'
import { RefreshChecks } from '../../src/session/refresh-check.js'
import { Sessions } from '../../src/session/sessions.js'
import type { SessionStore } from '../../src/store/session-store.js'
import { claimsOf, embedded, outcomeOf } from '../support/sessions.js'

/** The duration of each slow step: one fits into the deadline, and all of them don't. */
const STEPS = { dual: STORE_DEADLINE * 0.6, single: STORE_DEADLINE * 0.4 }

for (const scheme of ['dual', 'single'] as const) {
  t.test(`${scheme}: slow steps are too many together, though each is fast enough`, async (t) => {
    const rig = embedded({ scheme, refresh: 0 })
    const tokens = await issue(rig.ports, { sub: 'alice' })
    const slow = new Set<keyof SessionStore>(['isRecordedAsRevoked', 'readCurrent', 'rotate'])
    const store = new Proxy(rig.ports.store, {
      get(target, name: keyof SessionStore) {
        const method = (target[name] as (...args: unknown[]) => unknown).bind(target)
        if (!slow.has(name)) return method
        return async (...args: unknown[]) => {
          await wait(STEPS[scheme])
          return method(...args)
        }
      },
    })
    const refreshChecks = new RefreshChecks(async () => ({}))
    const sessions = new Sessions({ ...rig.ports, store, refreshChecks }, 0)
    const { jti, sid, sub, iat } = claimsOf(tokens.accessToken)
    const exchange = () =>
      scheme === 'dual'
        ? sessions.refresh(tokens.refreshToken!)
        : sessions.renew({ jti, sid, sub, iat, kid: 'key' })
    t.equal(await outcomeOf(exchange), 'store_unavailable')
  })
}

t.test('the check of the user doesn’t use up the time of the store', async (t) => {
  const rig = embedded()
  const { refreshToken } = await issue(rig.ports, { sub: 'alice' })
  const refreshChecks = new RefreshChecks(async () => {
    await wait(STORE_DEADLINE * 1.1)
    return {}
  })
  const sessions = new Sessions({ ...rig.ports, refreshChecks }, 0)
  t.equal(await outcomeOf(() => sessions.refresh(refreshToken!)), 'good')
})
