/** When admission waits for a new token, and when it doesn't. */
import t from 'tap'
import type { OnOutage } from '../../src/revocation/denylist.js'
import { Admitter } from '../../src/token/admission.js'
import type { RequestFacts, Requirements } from '../../src/token/admission.js'
import { toAuth } from '../../src/token/auth.js'
import { claimsOf, embedded, issue } from '../support/sessions.js'

const rig = embedded()
const { accessToken } = await issue(rig.ports, { sub: 'alice' })
const auth = toAuth(claimsOf(accessToken), 'key')
const renewed = { accessToken: 'new', expiresIn: 900, cookie: undefined, mayBeSent: () => true }

function open({ isDue, outage }: { isDue: boolean; outage?: 'stale' }) {
  const calls = { isDue: 0, renew: 0 }
  const admitter = new Admitter({
    verifier: {
      verifyToken: () => auth,
      verifyTokenInOutage: async () => ({ auth, ...(outage && { outage }) }),
    } as never,
    transports: { header: true, cookie: 'access', xAccessToken: false, query: false, body: false },
    origins: [],
    clearedCookies: [],
    renewal: {
      isDue() {
        calls.isDue += 1
        return isDue
      },
      async renew() {
        calls.renew += 1
        return renewed
      },
    },
    onRefused() {},
  })
  const admit = (facts: Partial<RequestFacts> = {}, onOutage: OnOutage = 'closed') => {
    const requirements: Requirements = { auth: 'optional', scope: [], onOutage }
    const rawHeaders = ['Authorization', `Bearer ${accessToken}`]
    const whole = { method: 'GET', target: '/', rawHeaders, headers: {}, isSecure: true, address: undefined }
    return admitter.admit({ ...whole, isUpgrade: false, ...facts } as RequestFacts, requirements)
  }
  return { admit, calls }
}

t.test('with nothing due, admission is synchronous after one comparison', async (t) => {
  const { admit, calls } = open({ isDue: false })
  const admission = admit()
  t.notOk(admission instanceof Promise)
  t.match(admission, { auth: { sub: 'alice' }, renewed: undefined })
  t.same(calls, { isDue: 1, renew: 0 })
})

t.test('with a new token due, admission brings it', async (t) => {
  const { admit } = open({ isDue: true })
  t.match(await admit(), { auth: { sub: 'alice' }, renewed })
  t.match(
    await admit({}, 'open'),
    { renewed, outage: undefined },
    'also on a route with onOutage, under a lease',
  )
})

t.test(
  'none for an anonymous request, a WebSocket handshake, and an admission without a lease',
  async (t) => {
    const { admit, calls } = open({ isDue: true })
    t.match(admit({ rawHeaders: [] }), { auth: null, renewed: undefined })
    t.match(admit({ isUpgrade: true }), { auth: { sub: 'alice' }, renewed: undefined })
    const inOutage = open({ isDue: true, outage: 'stale' })
    t.match(await inOutage.admit({}, { stale: 1_000 }), { outage: 'stale', renewed: undefined })
    t.equal(calls.renew + inOutage.calls.renew, 0)
  },
)
