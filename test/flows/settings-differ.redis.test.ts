/** Gateways with one `keyPrefix` and different settings. */
import t from 'tap'
import { ADMIN, readiness, startInstance } from '../support/gateway-instances.js'
import { home, soon } from '../support/gateway-process.js'
import { cleanUp, redisUrl, uniquePrefix } from '../support/redis.js'

t.test(
  'a gateway with another key and another lifetime logs which settings differ, and shows them',
  async (t) => {
    const keyPrefix = uniquePrefix()
    cleanUp(t, keyPrefix)
    const shared = { store: redisUrl(), keyPrefix, admin: ADMIN }
    const [directory, another] = [await home(t), await home(t)]
    const first = await startInstance(t, directory, shared)
    const same = await startInstance(t, directory, { ...shared, limits: { connections: 100 } })
    t.match((await readiness(first)).body, { differingSettings: [] })
    const other = await startInstance(t, another, { ...shared, tokens: { access: '10m', leeway: '1s' } })
    const warnings = () => other.records().filter(({ event }) => event === 'settings_differ')
    await soon('it is logged', () => warnings().length > 0)
    const settings = ['keys', 'tokens.access', 'tokens.leeway', 'revocation.horizon']
    t.match(warnings(), [{ level: 40, settings }])
    const { status, body } = await readiness(other)
    t.equal(status, 200, 'it is still ready')
    t.strictSame(body.differingSettings, settings)
    t.notOk(
      same.records().some(({ event }) => event === 'settings_differ'),
      'limits of its own are no difference',
    )
  },
)
