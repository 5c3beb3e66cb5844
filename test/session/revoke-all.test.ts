import t from 'tap'
import { revoke } from '../../src/session/revoke.js'
import { revokeAllContract } from './revoke-all.contract.js'
import { issue, embedded, refreshed, MINUTE, SECOND } from '../support/sessions.js'

revokeAllContract(t, async () => {
  const rig = embedded()
  return { ...rig, advance: async (milliseconds) => rig.clock.advance(milliseconds) }
})

t.test('a login that waited for the entry refreshes', async (t) => {
  const rig = embedded()
  await revoke(rig.ports, { all: true })
  const timer = setInterval(() => rig.clock.advance(SECOND), 50)
  const login = await issue(rig.ports, { sub: 'alice' })
  clearInterval(timer)
  t.equal(await refreshed(rig, login.refreshToken), 'good')
  rig.clock.advance(20 * MINUTE)
  const next = await issue(rig.ports, { sub: 'bob' })
  t.equal(await refreshed(rig, next.refreshToken), 'good')
})
