import t from 'tap'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { oneTimeCodeContract } from './one-time-code.contract.js'

t.setTimeout(120_000)

oneTimeCodeContract(t, async () => (await startMovedRedis(t)).url, { skip: skipWithRedis })
