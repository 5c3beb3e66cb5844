import t from 'tap'
import { presenceContract } from './presence.contract.js'

presenceContract(t, async () => 'memory')
