import t from 'tap'
import { movedTimeContract } from './moved-time.contract.js'

movedTimeContract(t, async () => 'memory')
