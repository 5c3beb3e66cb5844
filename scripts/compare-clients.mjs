// EXCHANGES=1000000 SEED=1 node scripts/compare-clients.mjs
// The long form of test/gateway/exchange-fuzz.test.ts: compares our client for upstreams with undici's and Node's.
import { setUp } from './setup.mjs'

try {
  await setUp()
  const { compareClients } = await import('../dist/test/support/exchange-comparison.js')
  const { EXCHANGES = '100000', SEED = String(Date.now() % 1_000_000) } = process.env
  console.log(`${EXCHANGES} exchanges from seed ${SEED}`)
  const { faults, ...tallies } = await compareClients(Number(EXCHANGES), Number(SEED))
  console.table(tallies)
  for (const fault of faults) console.log(JSON.stringify(fault))
  process.exitCode = faults.length > 0 ? 1 : 0
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
