import t from 'tap'
import { startRedis } from '../support/redis.js'
import { testAdmin } from './admin.contract.js'

const redis = await startRedis(t)
let count = 0
for (const check of ['replica', 'redis', 'presence']) {
  const overrides = () => ({ store: redis.url, revocation: { check }, keyPrefix: `admin-${(count += 1)}` })
  await t.test(`check: ${check}`, (t) => testAdmin(t, overrides))
}
