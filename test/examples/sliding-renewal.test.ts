import t from 'tap'
import { slidingRenewalContract } from './sliding-renewal.contract.js'

slidingRenewalContract(t, async () => ({ store: 'memory' }))
