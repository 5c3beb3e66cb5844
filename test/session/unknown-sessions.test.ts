/** Tokens of sessions that have no record: invented ones, and ours, whose records were lost or have expired. */
import t from 'tap'
import { logout } from '../../src/session/logout.js'
import { RateBound } from '../../src/rate-bound.js'
import type { Sid } from '../../src/session/session.js'
import { formatRefreshToken, newRefreshToken } from '../../src/token/refresh-token.js'
import type { NewEntry } from '../../src/revocation/entry.js'
import { PROOF, createProof } from '../support/refresh-token-proof.js'
import { embedded, outcomeOf, refreshed } from '../support/sessions.js'

/** An instance with these bounds per second, and the ids that it has revoked. */
function setUp(bounds: { unproven?: number; unknown?: number }) {
  const rig = embedded()
  const revoked: string[] = []
  const { denylist } = rig.ports
  const revoke = denylist.revoke.bind(denylist)
  denylist.revoke = (entries: readonly NewEntry[]) => {
    revoked.push(...entries.map((entry) => entry.id))
    return revoke(entries)
  }
  const stopped = () => 1_000
  const { unproven = 100, unknown = 100 } = bounds
  const ports = {
    ...rig.ports,
    bounds: { unproven: new RateBound(unproven, stopped), unknown: new RateBound(unknown, stopped) },
  }
  return { rig: { ...rig, ports }, revoked }
}

const proven = () => ({ ...newRefreshToken(), isProven: true })
const unproven = () => ({ ...newRefreshToken(), isProven: false })

t.test('a logout by an invented token of an unknown session revokes nothing', async (t) => {
  const { rig, revoked } = setUp({})
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: unproven() })), 'refresh_token_invalid')
  t.strictSame(revoked, [])
})

t.test('beside an access token, an invented token changes nothing', async (t) => {
  const { rig, revoked } = setUp({})
  const access = newRefreshToken().sid
  t.equal(await outcomeOf(() => logout(rig.ports, { access, refresh: unproven() })), 'good')
  t.strictSame(revoked, [access])
})

t.test('look-ups of tokens without a good proof are bounded all together, others aren’t', async (t) => {
  const { rig } = setUp({ unproven: 2 })
  const foreign = () => refreshed(rig, formatRefreshToken(newRefreshToken(), createProof()))
  t.equal(await foreign(), 'session_ended')
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: unproven() })), 'refresh_token_invalid')
  t.equal(await foreign(), 'overloaded')
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: unproven() })), 'overloaded')
  t.equal(await refreshed(rig, formatRefreshToken(newRefreshToken(), PROOF)), 'session_ended')
})

t.test('unknown sessions that tokens of ours name are bounded all together', async (t) => {
  const { rig, revoked } = setUp({ unknown: 2 })
  const [one, two, three] = [proven(), newRefreshToken().sid, proven()]
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: one })), 'good')
  t.equal(await outcomeOf(() => logout(rig.ports, { access: two })), 'good')
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: three })), 'overloaded')
  t.equal(await outcomeOf(() => logout(rig.ports, { access: newRefreshToken().sid })), 'overloaded')
  t.equal(await outcomeOf(() => logout(rig.ports, { refresh: one })), 'good', 'a known one may be repeated')
  t.strictSame([...new Set(revoked)], [one.sid, two])
})

t.test('the tombstone of an unknown session keeps it from coming into being', async (t) => {
  const { rig } = setUp({})
  const token = proven()
  await logout(rig.ports, { refresh: token })
  const end = { sid: token.sid as Sid, reason: 'logout', tombstone: 1_000, now: rig.clock.now() } as const
  t.match(await rig.ports.store.end(end), { kind: 'already_ended' })
  t.equal(await refreshed(rig, formatRefreshToken(token, PROOF)), 'session_ended')
})
