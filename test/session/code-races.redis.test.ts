/** Two instances on one Redis, and exchanges of codes that meet each other and logouts there. */
import t from 'tap'
import type { Test } from 'tap'
import { exchangeCode } from '../../src/session/exchange-code.js'
import { issueCode } from '../../src/session/issue-code.js'
import { issue } from '../../src/session/issue.js'
import type { TokenSet } from '../../src/session/issue.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import { living } from '../support/session-store.js'
import { judged, outcomeOf, refreshed, told, twoInstances } from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'

const ROUNDS = 15

async function newCode({ ports }: Instance, { session }: TokenSet): Promise<string> {
  return (await issueCode(ports, session.sid, {})).code
}

function exchange({ ports }: Instance, code: string): Promise<TokenSet> {
  return exchangeCode(ports, { code }, {})
}

/** No token works any more, on any instance. */
async function allAreDead(
  t: Test,
  instances: readonly Instance[],
  given: readonly TokenSet[],
  name: string,
): Promise<void> {
  for (const one of instances) {
    for (const { accessToken, refreshToken } of given) {
      t.equal(await judged(one, accessToken), 'session_ended', name)
      t.equal(await refreshed(one, refreshToken!), 'session_ended', name)
    }
  }
}

async function sidsOf({ ports }: Instance, sub: string): Promise<string[]> {
  return (await living(ports.store, sub, Date.now())).map(({ sid }) => sid)
}

/** Waits for a number of round trips to Redis. */
async function wait({ ports }: Instance, roundTrips: number): Promise<void> {
  for (let i = 0; i < roundTrips; i += 1) await ports.store.count('nobody')
}

/** Exchanges codes of a session and of the sessions that they begin, until it is refused. */
async function exchangeUntilRefused(one: Instance, first: TokenSet, given: TokenSet[]): Promise<string> {
  let current = first
  for (;;) {
    const outcome = await outcomeOf(async () => {
      current = await exchange(one, await newCode(one, current))
      given.push(current)
    })
    if (outcome !== 'good') return outcome
  }
}

for (const denylist of ['replica', 'redis'] as const) {
  t.test(
    `${denylist}: of 24 exchanges of one code at the same time, one is the first, and all end`,
    async (t) => {
      const [one, two] = await twoInstances(t, denylist, {}, { withCodes: true })
      const login = await issue(one.ports, { sub: 'alice' })
      const code = await newCode(one, login)
      const uses = Array.from({ length: 24 }, (_, i) => exchange(i % 2 === 0 ? one : two, code))
      const settled = await Promise.allSettled(uses)
      const given = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
      const refusals = settled.flatMap((each) =>
        each.status === 'rejected' ? [(each.reason as { code: string }).code] : [],
      )
      t.ok(given.length <= 1)
      // The first is 503 if the second use has ended its session before it was stored.
      t.same(
        refusals.filter((refusal) => refusal !== 'invalid_grant'),
        given.length === 1 ? [] : ['store_unavailable'],
      )
      t.same(
        (await living(one.ports.store, 'alice', Date.now())).map(({ sid }) => sid),
        [login.session.sid],
      )
      for (const { accessToken, refreshToken } of given) {
        t.equal(await judged(two, accessToken), 'session_ended')
        t.equal(await refreshed(two, refreshToken!), 'session_ended')
      }
      t.equal(told(one, 'code_reused').length + told(two, 'code_reused').length, 1)
      t.equal(await judged(two, login.accessToken), 'good')
    },
  )

  t.test(`${denylist}: a logout concurrent with an exchange leaves nothing alive`, async (t) => {
    const [one, two] = await twoInstances(t, denylist, {}, { withCodes: true })
    for (let round = 0; round < ROUNDS; round += 1) {
      const sub = `alice-${round}`
      const login = await issue(one.ports, { sub })
      const [code, later] = [await newCode(one, login), await newCode(one, login)]
      const given: TokenSet[] = []
      const exchanging = outcomeOf(async () => given.push(await exchange(two, code)))
      await wait(one, round)
      await logout(one.ports, { access: login.session.sid })
      const after = await outcomeOf(() => exchange(two, later))
      t.equal(after, 'session_ended', 'an exchange after the logout has returned')
      const outcome = await exchanging
      // 503 if the logout has found the id of the new session before its record was stored.
      t.ok(['good', 'session_ended', 'store_unavailable'].includes(outcome), outcome)
      await allAreDead(t, [one, two], [login, ...given], `round ${round}`)
      t.same(await sidsOf(one, sub), [])
    }
  })

  t.test(`${denylist}: “everywhere” concurrent with exchanges leaves nothing alive`, async (t) => {
    const [one, two] = await twoInstances(t, denylist, {}, { withCodes: true })
    let raced = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const sub = `bob-${round}`
      const logins = await Promise.all([issue(one.ports, { sub }), issue(two.ports, { sub })])
      const given: TokenSet[] = []
      const exchanging = logins.map((login, i) => exchangeUntilRefused(i === 0 ? two : one, login, given))
      await wait(one, 3 * round)
      const own = logins[0].session.sid
      await logoutAll(one.ports, sub, round % 2 === 0 ? { own } : {})
      const atLogout = [...given]
      await allAreDead(t, [one, two], atLogout, `round ${round}: of what was given by then`)
      // 503 if the logout has found the id of the new session before its record was stored.
      for (const outcome of await Promise.all(exchanging))
        t.ok(outcome === 'session_ended' || outcome === 'store_unavailable', outcome)
      await allAreDead(t, [one, two], [...logins, ...given], `round ${round}: ${given.length} in all`)
      t.same(await sidsOf(one, sub), [])
      if (given.length > 0) raced += 1
    }
    t.ok(raced > 0, `exchanges succeeded during ${raced} of the races`)
  })
}
