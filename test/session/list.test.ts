import t from 'tap'
import { endRecords } from '../../src/session/end-sessions.js'
import { listSessions } from '../../src/session/list-sessions.js'
import { logoutAll } from '../../src/session/logout.js'
import { embedded, judged, told, MINUTE, issue, refresh } from '../support/sessions.js'
import type { MemoryRig } from '../support/sessions.js'

async function logInOften(rig: MemoryRig, count: number): Promise<string[]> {
  const sids: string[] = []
  for (let i = 0; i < count; i += 1) {
    rig.clock.advance(1)
    sids.push((await issue(rig.ports, { sub: 'alice' })).session.sid)
  }
  return sids
}

async function pages(rig: MemoryRig, limit?: number): Promise<string[][]> {
  const all: string[][] = []
  let cursor: string | undefined
  do {
    const page = await listSessions(rig.ports, 'alice', { cursor, limit })
    all.push(page.sessions.map(({ sid }) => sid))
    cursor = page.next
  } while (cursor !== undefined)
  return all
}

t.test('pages follow each other without a gap, oldest first, 100 sessions by default', async (t) => {
  const rig = embedded()
  const sids = await logInOften(rig, 250)
  t.same(await pages(rig), [sids.slice(0, 100), sids.slice(100, 200), sids.slice(200)])
  t.same(
    (await pages(rig, 125)).map(({ length }) => length),
    [125, 125],
  )
  t.same((await pages(rig, 500)).flat(), sids)
  t.same(await listSessions(rig.ports, 'nobody'), { sessions: [], next: undefined })
})

t.test('sessions that end while paging are left out, and no other is skipped or repeated', async (t) => {
  const rig = embedded()
  const sids = await logInOften(rig, 10)
  const first = await listSessions(rig.ports, 'alice', { limit: 4 })
  await endRecords(rig.ports, [{ sid: first.sessions[3]!.sid }, { sid: first.sessions[0]!.sid }], 'logout')
  const [ended, gone] = [first.sessions[3]!.sid, first.sessions[0]!.sid]
  await rig.ports.store.unindex('alice', [ended, gone])
  const rest = await listSessions(rig.ports, 'alice', { cursor: first.next, limit: 100 })
  t.same(
    rest.sessions.map(({ sid }) => sid),
    sids.slice(4),
  )
})

t.test('ids of ended sessions don’t count towards a page', async (t) => {
  const rig = embedded()
  const sids = (await logInOften(rig, 300)) as never[]
  await endRecords(
    rig.ports,
    sids.slice(0, 290).map((sid) => ({ sid })),
    'logout',
  )
  t.same(await pages(rig, 10), [sids.slice(290)])
})

t.test('an invalid limit or cursor is an error', async (t) => {
  const rig = embedded()
  for (const limit of [0, 501, 1.5, Number.NaN])
    await t.rejects(listSessions(rig.ports, 'alice', { limit }), RangeError)
  for (const cursor of ['', 'x', '1', '1.', '1.a b', `1.${'a'.repeat(65)}`])
    await t.rejects(listSessions(rig.ports, 'alice', { cursor }), RangeError)
})

t.test('with thousands of sessions, each login ends some hundreds of the oldest', async (t) => {
  const rig = embedded()
  const sids = await logInOften(rig, 1_500)
  const ports = { ...rig.ports, settings: { ...rig.ports.settings, perSubject: 100 } }
  rig.clock.advance(1)
  const login = await issue(ports, { sub: 'alice' })
  t.equal(await judged(rig, login.accessToken), 'good')
  t.equal(await rig.ports.store.count('alice'), 1_001)
  t.equal((await listSessions(rig.ports, 'alice', { limit: 1 })).sessions[0]?.sid, sids[500])
  for (let i = 0; i < 2; i += 1) {
    rig.clock.advance(1)
    await issue(ports, { sub: 'alice' })
  }
  t.equal(await rig.ports.store.count('alice'), 100)
})

t.test('below the limit, a login only counts', async (t) => {
  const rig = embedded({ perSubject: 3 })
  const { store } = rig.ports
  let looks = 0
  const indexed: typeof store.indexed = (...args) => {
    looks += 1
    return store.indexed(...args)
  }
  const watched = new Proxy(store, {
    get: (target, name) => {
      const member = Reflect.get(target, name) as (...args: unknown[]) => unknown
      return name === 'indexed' ? indexed : member.bind(target)
    },
  })
  for (let i = 0; i < 3; i += 1) await issue({ ...rig.ports, store: watched }, { sub: 'alice' })
  t.equal(looks, 0)
  rig.clock.advance(1) // of sessions of one millisecond, any may be the oldest
  await issue({ ...rig.ports, store: watched }, { sub: 'alice' })
  t.equal(looks, 1)
})

t.test('expired idle sessions don’t count towards the limit', async (t) => {
  const rig = embedded({ perSubject: 3 })
  let alive = await issue(rig.ports, { sub: 'alice' })
  for (let i = 0; i < 2; i += 1) await issue(rig.ports, { sub: 'alice' })
  rig.clock.advance(50 * MINUTE)
  alive = await refresh(rig.ports, alive.refreshToken)
  rig.clock.advance(50 * MINUTE)
  alive = await refresh(rig.ports, alive.refreshToken)
  await issue(rig.ports, { sub: 'alice' })
  t.equal(await judged(rig, alive.accessToken), 'good')
  t.equal(told(rig, 'session_ended').length, 0)
  t.equal(await rig.ports.store.count('alice'), 2)
})

t.test('“everywhere” ends thousands of sessions', async (t) => {
  const rig = embedded()
  const logins = []
  for (let i = 0; i < 1_200; i += 1) logins.push(await issue(rig.ports, { sub: 'alice' }))
  await logoutAll(rig.ports, 'alice', { own: logins[0]!.session.sid })
  for (const { accessToken } of logins)
    if ((await judged(rig, accessToken)) !== 'session_ended') t.fail('alive')
  t.equal(await rig.ports.store.count('alice'), 0)
})
