import t from 'tap'
import { openOnRedis } from '../support/redis-session-store.js'
import { sessionStoreContract } from './session-store.contract.js'

sessionStoreContract(t, openOnRedis)
