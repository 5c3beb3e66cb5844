import t from 'tap'
import { startRedis } from '../redis.js'
import { testAdmin } from './admin.contract.js'

const redis = await startRedis(t)
let life = 0
for (const check of ['replica', 'redis'])
  await t.test(`check: ${check}`, (t) => {
    const store = { store: redis.url, revocation: { check } }
    return testAdmin(
      t,
      {
        ...store,
        get keyPrefix() {
          return `admin-${(life += 1)}`
        },
      },
      { keepsReasons: true },
    )
  })
