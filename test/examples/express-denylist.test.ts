import t from 'tap'
import { expressDenylistContract } from './express-denylist.contract.js'

expressDenylistContract(t, { startStore: async () => 'memory' })
