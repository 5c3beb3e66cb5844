/** The single scheme on two instances with one Redis, and renewals that meet each other and a logout there. */
import t from 'tap'
import { issue } from '../../src/session/issue.js'
import type { TokenSet } from '../../src/session/issue.js'
import { logout, logoutAll } from '../../src/session/logout.js'
import { renew } from '../../src/session/refresh.js'
import { claimsOf, judged, outcomeOf, told, twoInstances, HOUR, toRevocable } from '../support/sessions.js'
import { living } from '../support/session-store.js'
import type { Instance } from '../support/sessions.js'

const SINGLE = { scheme: 'single', absolute: 72 * HOUR, refreshLimit: 0 } as const
const ROUNDS = 15

const renewed = ({ ports }: Instance, tokens: TokenSet) => outcomeOf(() => renew(ports, toRevocable(tokens)))

/** Renews until that is refused, each token twice at the same time. Returns the code of the refusal. */
async function renewUntilRefused(instance: Instance, first: TokenSet, given: TokenSet[]): Promise<string> {
  let current = first
  for (;;) {
    const uses = await Promise.allSettled([1, 2].map(() => renew(instance.ports, toRevocable(current))))
    const got = uses.filter((one) => one.status === 'fulfilled').map(({ value }) => value)
    given.push(...got)
    const refused = uses.find((one) => one.status === 'rejected')
    if (refused) return outcomeOf(() => Promise.reject(refused.reason as Error))
    current = got[0]!
  }
}

async function survivors(instances: readonly Instance[], given: readonly TokenSet[]): Promise<string[]> {
  const outcomes: string[] = []
  for (const one of instances) {
    outcomes.push(...(await Promise.all(given.map(({ accessToken }) => judged(one, accessToken)))))
    outcomes.push(...(await Promise.all(given.map((tokens) => renewed(one, tokens)))))
  }
  return outcomes.filter((outcome) => outcome !== 'session_ended')
}

t.test('24 renewals of one token on two instances give one successor', async (t) => {
  const [one, two] = await twoInstances(t, 'replica', SINGLE)
  const login = await issue(one.ports, { sub: 'alice' })
  const all = await Promise.all(
    Array.from({ length: 24 }, (_, i) => renew((i % 2 === 0 ? one : two).ports, toRevocable(login))),
  )
  const claims = all.map(({ accessToken }) => JSON.stringify(claimsOf(accessToken)))
  t.equal(new Set(claims).size, 1, 'jti, iat and exp are equal')
  t.equal(told(one, 'refresh').length + told(two, 'refresh').length, 1)
  t.equal(told(one, 'refresh_retried').length + told(two, 'refresh_retried').length, 23)
  t.equal((await living(one.ports.store, 'alice', Date.now()))[0]?.refreshCount, 1)
  t.equal(await judged(two, all[0]!.accessToken), 'good')
  t.equal(await renewed(two, all[1]!), 'good', 'and it can be renewed')
})

for (const everywhere of [false, true]) {
  const kind = everywhere ? 'a logout everywhere' : 'a logout'
  t.test(`${kind} concurrent with renewals on the other instance leaves nothing alive`, async (t) => {
    const [one, two] = await twoInstances(t, 'replica', SINGLE)
    let raced = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const login = await issue(one.ports, { sub: `alice-${round}` })
      const given = [login]
      const renewing = renewUntilRefused(two, login, given)
      for (let i = 0; i < round % 5; i += 1) await living(one.ports.store, 'nobody', Date.now())
      if (everywhere) await logoutAll(one.ports, `alice-${round}`)
      else await logout(one.ports, { access: login.session.sid })
      t.equal(await renewing, 'session_ended')
      t.same(await survivors([one, two], given), [], `round ${round}: of ${given.length} tokens`)
      if (given.length > 1) raced += 1
    }
    t.ok(raced > 0, `renewals succeeded during ${raced} of the races`)
  })
}
