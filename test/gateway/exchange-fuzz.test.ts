/**
 * Generated exchanges with late, early, missing and doubled responses: no response goes to another request. Our client is
 * compared with undici's and Node's. A longer run: `EXCHANGES=1000000 node scripts/compare-clients.mjs`
 */
import t from 'tap'
import { compareClients } from '../support/exchange-comparison.js'

const EXCHANGES = 4000
const SEED = 20_261_127

t.test(`${EXCHANGES} exchanges from seed ${SEED}: no response goes to another request`, async (t) => {
  const { faults, ours, undici, node } = await compareClients(EXCHANGES, SEED)
  t.strictSame(faults, [])
  t.equal(ours.misdelivered, 0)
  t.equal(ours.delivered + ours.failed, EXCHANGES)
  t.ok(ours.mistakes > EXCHANGES / 10, 'the upstream has made mistakes')
  t.ok(undici.misdelivered > 0 && node.misdelivered > 0, 'the mistakes can be taken for responses')
  t.comment(JSON.stringify({ ours, undici, node }))
})
