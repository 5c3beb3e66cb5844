import t from 'tap'
import { slideContract } from './slide.contract.js'
import { twoInstances } from '../support/sessions.js'

for (const denylist of ['replica', 'redis'] as const) {
  t.test(`check: ${denylist}`, async (t) => {
    slideContract(t, async (t) => {
      const [here, there] = await twoInstances(t, denylist)
      return { here, there, pass: () => {} }
    })
  })
}
