/** Two instances on one Redis, and requests that meet each other there. */
import t from 'tap'
import type { DualTokens } from '../support/sessions.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import { parseRefreshToken } from '../../src/token/refresh-token.js'
import { PROOF } from '../support/refresh-token-proof.js'
import {
  claimsOf,
  judged,
  outcomeOf,
  refreshed,
  told,
  twoInstances,
  issue,
  refresh,
} from '../support/sessions.js'
import { living } from '../support/session-store.js'
import type { Instance } from '../support/sessions.js'

const ROUNDS = 15

/** Refreshes for as long as it is let, uses of the same token side by side, and keeps all that it ever got. */
async function refreshUntilRefused(
  instance: Instance,
  first: DualTokens,
  given: DualTokens[],
): Promise<string> {
  let current = first
  for (;;) {
    const uses = await Promise.allSettled([1, 2, 3].map(() => refresh(instance.ports, current.refreshToken)))
    const got = uses.filter((one) => one.status === 'fulfilled').map(({ value }) => value)
    given.push(...got)
    const refused = uses.find((one) => one.status === 'rejected')
    if (refused) return outcomeOf(() => Promise.reject(refused.reason as Error))
    current = got[0]!
  }
}

/** What still works, of all that was given, on any instance: by their judgement, and by a use of each. */
async function survivors(instances: readonly Instance[], given: readonly DualTokens[]): Promise<string[]> {
  const alive: string[] = []
  for (const one of instances) {
    const accesses = await Promise.all(given.map(({ accessToken }) => judged(one, accessToken)))
    const refreshes = await Promise.all(given.map(({ refreshToken }) => refreshed(one, refreshToken)))
    alive.push(...accesses.filter((outcome) => outcome !== 'session_ended'))
    alive.push(...refreshes.filter((outcome) => outcome !== 'session_ended'))
  }
  return alive
}

for (const denylist of ['replica', 'redis'] as const) {
  t.test(
    `${denylist}: a token of one instance is valid on the other, and refreshes and ends there`,
    async (t) => {
      const [one, two] = await twoInstances(t, denylist)
      const login = await issue(one.ports, { sub: 'alice' })
      t.equal(await judged(two, login.accessToken), 'good')
      const next = await refresh(two.ports, login.refreshToken)
      t.equal(await judged(one, next.accessToken), 'good')
      await logout(one.ports, { access: login.session.sid })
      t.same(await survivors([one, two], [login, next]), [])
    },
  )

  t.test(
    `${denylist}: 24 uses of one token on two instances give one successor and valid access tokens`,
    async (t) => {
      const [one, two] = await twoInstances(t, denylist)
      const login = await issue(one.ports, { sub: 'alice' })
      const all = await Promise.all(
        Array.from({ length: 24 }, (_, i) => refresh((i % 2 === 0 ? one : two).ports, login.refreshToken)),
      )
      t.equal(new Set(all.map(({ refreshToken }) => refreshToken)).size, 1)
      const claims = all.map(({ accessToken }) => JSON.stringify(claimsOf(accessToken)))
      t.equal(new Set(claims).size, 1, 'the access tokens have equal claims')
      for (const { accessToken } of all) {
        t.equal(await judged(one, accessToken), 'good')
        t.equal(await judged(two, accessToken), 'good')
      }
      t.equal(told(one, 'refresh').length + told(two, 'refresh').length, 1)
      t.equal((await living(one.ports.store, 'alice', Date.now()))[0]?.refreshCount, 1)
      t.equal(await refreshed(two, all[0]!.refreshToken), 'good')
    },
  )

  t.test(
    `${denylist}: a logout concurrent with refreshes on the other instance leaves nothing alive`,
    async (t) => {
      const [one, two] = await twoInstances(t, denylist)
      let raced = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const login = await issue(one.ports, { sub: `alice-${round}` })
        const given = [login]
        const refreshing = refreshUntilRefused(two, login, given)
        for (let i = 0; i < round % 5; i += 1) await living(one.ports.store, 'nobody', Date.now()) // a little later each time
        const presented =
          round % 2 === 0
            ? { access: login.session.sid }
            : { refresh: parseRefreshToken(login.refreshToken, PROOF) }
        await logout(one.ports, presented)
        const atLogout = [...given]
        t.same(await survivors([one, two], atLogout), [], `round ${round}: of what was given by then`)
        t.equal(await refreshing, 'session_ended')
        t.same(
          await survivors([one, two], given),
          [],
          `round ${round}: of ${given.length} token pairs in all`,
        )
        if (given.length > 1) raced += 1
      }
      t.ok(raced > 0, `refreshes succeeded during ${raced} of the races`)
    },
  )

  t.test(
    `${denylist}: “everywhere” concurrent with refreshes of every session leaves nothing alive`,
    async (t) => {
      const [one, two] = await twoInstances(t, denylist)
      let pairs = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const sub = `bob-${round}`
        const logins = await Promise.all(
          Array.from({ length: 4 }, (_, i) => issue((i % 2 === 0 ? one : two).ports, { sub })),
        )
        const given = [...logins]
        const refreshing = logins.map((login, i) => refreshUntilRefused(i < 2 ? one : two, login, given))
        for (let i = 0; i < round % 5; i += 1) await living(one.ports.store, 'nobody', Date.now())
        await logoutAll(one.ports, sub)
        t.same(
          await Promise.all(refreshing),
          logins.map(() => 'session_ended'),
        )
        t.same(await survivors([one, two], given), [], `round ${round}: of ${given.length} token pairs`)
        pairs += given.length - logins.length
      }
      t.ok(pairs > 0, `${pairs} token pairs were given during the races`)
    },
  )

  t.test(`${denylist}: a theft detected on the other instance ends the session here`, async (t) => {
    const [one, two] = await twoInstances(t, denylist, { reuseGrace: 0 })
    const other = await issue(one.ports, { sub: 'alice' })
    const login = await issue(one.ports, { sub: 'alice' })
    const next = await refresh(one.ports, login.refreshToken)
    t.equal(await refreshed(two, login.refreshToken), 'refresh_token_reused')
    t.same(await survivors([one, two], [login, next]), [])
    t.equal(told(two, 'refresh_token_reused').length, 1)
    t.equal(await judged(two, other.accessToken), 'good')
    t.equal(await refreshed(two, other.refreshToken), 'good')
  })

  t.test(`${denylist}: two concurrent logouts of one session, one per instance, both succeed`, async (t) => {
    const [one, two] = await twoInstances(t, denylist)
    for (let round = 0; round < ROUNDS; round += 1) {
      const login = await issue(one.ports, { sub: 'alice' })
      const outcomes = await Promise.all(
        [one, two].map(({ ports }) => outcomeOf(() => logout(ports, { access: login.session.sid }))),
      )
      t.same(outcomes, ['good', 'good'])
      t.same(await survivors([one, two], [login]), [])
    }
    t.equal(told(one, 'logout').length + told(two, 'logout').length, ROUNDS)
  })

  t.test(`${denylist}: concurrent logins on two instances keep the session limit`, async (t) => {
    const [one, two] = await twoInstances(t, denylist, { perSubject: 2 })
    const logins = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) => issue((i % 2 === 0 ? one : two).ports, { sub: 'alice' })),
    )
    const sids = (await living(one.ports.store, 'alice', Date.now())).map(({ sid }) => sid)
    t.equal(sids.length, 2)
    for (const login of logins) {
      if (login.status === 'rejected') {
        t.match(login.reason, { code: 'signed_in_elsewhere' })
        continue
      }
      const { session, accessToken } = login.value
      const expected = sids.includes(session.sid) ? 'good' : 'signed_in_elsewhere'
      for (const each of [one, two]) t.equal(await judged(each, accessToken), expected)
    }
  })
}
