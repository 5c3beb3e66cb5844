/** Sessions of users whose password has changed: exactly the outdated ones end, on every instance. */
import type { Test } from 'tap'
import { endOutdatedSessions } from '../../src/session/end-outdated.js'
import { issue } from '../../src/session/issue.js'
import type { Session } from '../../src/session/session.js'
import { failingOnce } from '../support/failing-denylist.js'
import { judged, outcomeOf, refreshed, told } from '../support/sessions.js'
import type { OpenTwo } from './half-ended.contract.js'

const isOld = ({ credential }: Session) => credential === 'old'

export function endOutdatedContract(t: Test, open: OpenTwo): void {
  t.test('exactly the outdated sessions of the given subjects end, on both instances', async (t) => {
    const [one, two] = await open(t)
    const start = (sub: string, credential?: string) => issue(one.ports, { sub }, {}, { credential })
    const outdated = [await start('alice', 'old'), await start('bob', 'old'), await start('alice', 'old')]
    const kept = [await start('alice', 'new'), await start('alice'), await start('carol', 'old')]
    t.equal(await endOutdatedSessions(two.ports, ['alice', 'nobody', 'bob'], isOld), 3)
    for (const instance of [one, two]) {
      for (const { accessToken, refreshToken } of outdated) {
        t.equal(await judged(instance, accessToken), 'session_ended')
        t.equal(await refreshed(instance, refreshToken!), 'session_ended')
      }
      for (const { accessToken } of kept) t.equal(await judged(instance, accessToken), 'good')
    }
    for (const { refreshToken } of kept) t.equal(await refreshed(one, refreshToken!), 'good')
    t.match(
      told(two, 'session_ended').map((event) => 'reason' in event && event.reason),
      ['revoked', 'revoked', 'revoked'],
    )
    t.equal(await endOutdatedSessions(one.ports, ['alice', 'bob'], isOld), 0, 'again, on another instance')
  })

  t.test('sessions on later pages of an index end, too', async (t) => {
    const [one, two] = await open(t)
    const logins = []
    for (let i = 0; i < 230; i += 1) {
      logins.push(await issue(one.ports, { sub: 'alice' }, {}, { credential: i % 2 ? 'new' : 'old' }))
    }
    t.equal(await endOutdatedSessions(two.ports, ['alice'], isOld), 115)
    for (const [i, { accessToken }] of logins.entries())
      t.equal(await judged(one, accessToken), i % 2 ? 'good' : 'session_ended')
  })

  t.test('a session whose end failed between its two steps is revoked by the next call', async (t) => {
    const [one, two] = await open(t)
    const half = await issue(one.ports, { sub: 'alice' }, {}, { credential: 'old' })
    const denylist = failingOnce(one.ports.denylist)
    const end = () => endOutdatedSessions({ ...one.ports, denylist }, ['alice'], isOld)
    t.equal(await outcomeOf(end), 'store_unavailable')
    t.equal(await judged(two, half.accessToken), 'good', 'the fault took place')
    t.equal(await outcomeOf(end), 'good')
    t.equal(await judged(two, half.accessToken), 'session_ended')
  })

  t.test('a login that is still in progress is left', async (t) => {
    const [one, two] = await open(t)
    const login = await issue(one.ports, { sub: 'alice' }, {}, { credential: 'old' })
    const store = Object.create(one.ports.store) as typeof one.ports.store
    // The id is in the index, and the record isn't stored yet.
    store.indexed = async () => [
      { sid: login.session.sid, latestEnd: login.session.endsAt, state: 'missing', session: undefined },
    ]
    t.equal(await endOutdatedSessions({ ...one.ports, store }, ['alice'], () => true), 0)
    t.equal(await judged(two, login.accessToken), 'good')
  })
}
