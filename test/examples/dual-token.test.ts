import t from 'tap'
import { dualTokenContract } from './dual-token.contract.js'

dualTokenContract(t, async () => 'memory')
