import t from 'tap'
import type { SessionStore } from '../../src/store/session-store.js'
import { Sessions } from '../../src/session/sessions.js'
import type { Sid } from '../../src/session/session.js'
import { formatRefreshToken, newRefreshToken } from '../../src/token/refresh-token.js'
import { PROOF } from '../support/refresh-token-proof.js'
import { embedded } from '../support/sessions.js'

/** The additional time of a revocation in this test, in ms. */
const PATIENCE = 400

t.test('each call gives up on a store that never responds, and a revocation gives up last', async (t) => {
  const silent = new Proxy({} as SessionStore, { get: () => () => new Promise(() => {}) })
  const { ports } = embedded()
  const sessions = new Sessions({ ...ports, store: silent }, PATIENCE)
  const sid = 'a'.repeat(22) as Sid
  const order: string[] = []
  const givesUp = async (name: string, call: Promise<unknown>) => {
    await t.rejects(call, { code: 'store_unavailable' }, name)
    order.push(name)
  }
  await Promise.all([
    givesUp('endAll', sessions.endAll('ada')),
    givesUp('logout', sessions.logout({ access: sid })),
    givesUp('end', sessions.end('ada', sid)),
    givesUp('revoke', sessions.revoke({ sid })),
    givesUp('refresh', sessions.refresh(formatRefreshToken(newRefreshToken(), PROOF))),
    givesUp('list', sessions.list('ada')),
    givesUp('issue', sessions.issue({ sub: 'ada' }, {})),
  ])
  t.strictSame(order.slice(0, 3).toSorted(), ['issue', 'list', 'refresh'])
  t.strictSame(order.slice(3).toSorted(), ['end', 'endAll', 'logout', 'revoke'])
})
