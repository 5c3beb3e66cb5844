import t from 'tap'
import { openOnRedis } from './redis-harness.js'
import { sessionStoreContract } from './session-store.contract.js'

sessionStoreContract(t, openOnRedis)
