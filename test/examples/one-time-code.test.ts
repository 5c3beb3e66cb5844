import t from 'tap'
import { oneTimeCodeContract } from './one-time-code.contract.js'

oneTimeCodeContract(t, async () => 'memory')
