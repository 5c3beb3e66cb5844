import t from 'tap'
import { halfEndedContract } from './half-ended.contract.js'
import { twoInstances } from '../support/sessions.js'

for (const check of ['replica', 'redis'] as const) {
  t.test(check, async (t) => halfEndedContract(t, (t) => twoInstances(t, check, { reuseGrace: 0 })))
}
