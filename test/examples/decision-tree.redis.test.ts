import t from 'tap'
import { startRedis } from '../support/redis.js'
import { decisionTreeContract } from './decision-tree.contract.js'

t.setTimeout(120_000)

decisionTreeContract(t, async (t) => (await startRedis(t)).url)
