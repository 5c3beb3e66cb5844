import t from 'tap'
import { endOutdatedContract } from './end-outdated.contract.js'
import { twoInstances } from '../support/sessions.js'

for (const check of ['replica', 'redis'] as const) {
  t.test(check, async (t) => endOutdatedContract(t, (t) => twoInstances(t, check)))
}
