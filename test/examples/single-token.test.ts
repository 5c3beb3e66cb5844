import t from 'tap'
import { singleTokenContract } from './single-token.contract.js'

singleTokenContract(t, async () => ({ store: 'memory' }))
