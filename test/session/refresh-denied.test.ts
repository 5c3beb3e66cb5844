import t from 'tap'
import { storeUnavailable } from '../../src/errors.js'
import type { Denylist, RevocableToken } from '../../src/revocation/denylist.js'
import { Replica } from '../../src/revocation/replica/replica.js'
import type { SessionStore } from '../../src/store/session-store.js'
import { refreshDeniedContract } from './refresh-denied.contract.js'
import { embedded, judged, refreshed, MINUTE, SECOND, issue } from '../support/sessions.js'
import { living } from '../support/session-store.js'
import type { MemoryRig } from '../support/sessions.js'

refreshDeniedContract(t, async () => {
  const rig = embedded()
  return { here: rig, there: rig, pass: () => rig.clock.advance(SECOND) }
})

const MARK = 'NEWEPOCH'

/** Past the second of its start, so that its own denylist believes any mark. */
function later(): MemoryRig {
  const rig = embedded()
  rig.clock.advance(2 * SECOND)
  return rig
}

/** The rig after its store has begun a new life: what hasn't the new mark is of a history that isn't known. */
function inNewEpoch(rig: MemoryRig, believes: 'all' | 'new'): MemoryRig {
  rig.clock.advance(MINUTE)
  const { denylist } = rig.ports
  const changed: Denylist = {
    check: (token) => (token.jti.startsWith(MARK) ? denylist.check(token) : 'history'),
    checkInOutage: () => undefined,
    peek: (token) => denylist.peek(token),
    version: () => undefined,
    revoke: (entries) => denylist.revoke(entries),
    stamp: async (sub) => ({ ...(await denylist.stamp(sub)), jtiPrefix: MARK }),
    latestIssue: () => denylist.latestIssue(),
    trusts: (jtiPrefix) => believes === 'all' || jtiPrefix === MARK,
  }
  return { ...rig, ports: { ...rig.ports, denylist: changed } }
}

t.test('a session with an untrusted record needs a new login and is ended', async (t) => {
  const before = later()
  const login = await issue(before.ports, { sub: 'alice' })
  const rig = inNewEpoch(before, 'new')
  t.equal(await refreshed(rig, login.refreshToken), 'reauthentication_required')
  t.same(await living(rig.ports.store, 'alice', rig.clock.now()), [])
  t.equal(await refreshed(rig, login.refreshToken), 'session_ended')
  t.equal(await judged(before, login.accessToken), 'session_ended')
  const fresh = await issue(rig.ports, { sub: 'alice' })
  t.equal(await refreshed(rig, fresh.refreshToken), 'good', 'one of the new life is believed')
  t.equal(await refreshed(rig, fresh.refreshToken), 'good', 'and a retry of it')
})

t.test('the record stays untrusted after an end that failed', async (t) => {
  const before = later()
  const login = await issue(before.ports, { sub: 'alice' })
  const rig = inNewEpoch(before, 'new')
  let failures = 0
  const end = async () => {
    failures += 1
    throw storeUnavailable('the test says so')
  }
  const { store } = rig.ports
  const failing: SessionStore = {
    read: (sid) => store.read(sid),
    readCurrent: (sid, token) => store.readCurrent(sid, token),
    create: (session, secrets) => store.create(session, secrets),
    rotate: (rotation) => store.rotate(rotation),
    count: (sub) => store.count(sub),
    sids: (sub) => store.sids(sub),
    indexed: (sub, now, count, after) => store.indexed(sub, now, count, after),
    unindex: (sub, sids) => store.unindex(sub, sids),
    recordRevokedToken: (jti, now, ttl) => store.recordRevokedToken(jti, now, ttl),
    isRecordedAsRevoked: (jti, now) => store.isRecordedAsRevoked(jti, now),
    cutoff: () => store.cutoff(),
    setCutoff: (cutoff) => store.setCutoff(cutoff),
    end,
  }
  const faulty = { ...rig, ports: { ...rig.ports, store: failing } }
  t.equal(await refreshed(faulty, login.refreshToken), 'store_unavailable')
  t.equal(failures, 1)
  const [record] = await living(rig.ports.store, 'alice', rig.clock.now())
  t.equal(record?.jtiPrefix, MARK, 'the rotation had taken place')
  t.equal(await refreshed(rig, login.refreshToken), 'reauthentication_required')
  t.same(await living(rig.ports.store, 'alice', rig.clock.now()), [])
})

t.test('a lost entry of the epoch of the login doesn’t cover the session in a later epoch', async (t) => {
  const rig = later()
  const login = await issue(rig.ports, { sub: 'alice' })
  const { jtiPrefix } = await rig.ports.denylist.stamp()
  const replica = new Replica()
  const deny = (epochPrefix: string) => {
    const before = rig.clock.now() + MINUTE
    replica.apply({ kind: 'lost', id: `${epochPrefix}alice`, before, until: before + MINUTE })
  }
  const inNext = inNewEpoch(rig, 'all')
  const check = (token: RevocableToken) => replica.findKind(token, rig.clock.now())
  const denylist: Denylist = { ...inNext.ports.denylist, check }
  const next = { ...inNext, ports: { ...inNext.ports, denylist } }
  deny(jtiPrefix)
  t.equal(await refreshed(next, login.refreshToken), 'good')
  t.equal(await refreshed(next, login.refreshToken), 'good', 'and a retry')
  deny(MARK)
  t.equal(await refreshed(next, login.refreshToken), 'session_ended', 'the entry of a later epoch covers it')
})

t.test('with accept, an older record is trusted, but an entry for its subject still counts', async (t) => {
  const before = later()
  const [login, other] = [
    await issue(before.ports, { sub: 'alice' }),
    await issue(before.ports, { sub: 'bob' }),
  ]
  const rig = inNewEpoch(before, 'all')
  await rig.ports.denylist.revoke([{ kind: 'sub', id: 'alice' }])
  t.equal(await refreshed(rig, login.refreshToken), 'session_ended')
  t.equal(await refreshed(rig, other.refreshToken), 'good')
})
