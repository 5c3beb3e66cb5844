/** Sliding renewals on one instance that meet a logout on another one. */
import t from 'tap'
import { logout, logoutAll } from '../../src/session/logout.js'
import { admitted, slid } from './slide.contract.js'
import { slide } from '../../src/session/slide.js'
import { issue, judged, twoInstances } from '../support/sessions.js'
import type { Instance } from '../support/sessions.js'
import { living } from '../support/session-store.js'

const ROUNDS = 15

/** Renews until there is no new token, twice at the same time. Returns all tokens. */
async function slideUntilEnded({ ports }: Instance, first: string): Promise<string[]> {
  const given = [first]
  for (;;) {
    const next = await Promise.all([1, 2].map(() => slide(ports, admitted(given.at(-1)!))))
    given.push(...next.flatMap((one) => one?.accessToken ?? []))
    if (next.includes(undefined)) return given
  }
}

for (const everywhere of [false, true]) {
  const kind = everywhere ? 'a logout everywhere' : 'a logout'
  t.test(`${kind} concurrent with sliding renewals on the other instance leaves nothing alive`, async (t) => {
    const [one, two] = await twoInstances(t, 'replica')
    let raced = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const sub = `alice-${round}`
      const login = await issue(one.ports, { sub })
      const sliding = slideUntilEnded(two, login.accessToken)
      for (let i = 0; i < round % 5; i += 1) await living(one.ports.store, 'nobody', Date.now())
      if (everywhere) await logoutAll(one.ports, sub)
      else await logout(one.ports, { access: login.session.sid })
      const given = await sliding
      for (const instance of [one, two]) {
        const outcomes = await Promise.all(given.map((token) => judged(instance, token)))
        t.same(new Set(outcomes), new Set(['session_ended']), `round ${round}: of ${given.length} tokens`)
        t.equal(await slid(instance, given.at(-1)!), undefined)
      }
      if (given.length > 1) raced += 1
    }
    t.ok(raced > 0, `renewals succeeded during ${raced} of the races`)
  })
}
