import t from 'tap'
import { splitServersContract } from './split-servers.contract.js'

t.setTimeout(120_000)

splitServersContract(t, { startStore: async () => 'memory' })
