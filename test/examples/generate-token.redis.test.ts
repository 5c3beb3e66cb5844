import t from 'tap'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { generateTokenContract } from './generate-token.contract.js'

t.setTimeout(120_000)

generateTokenContract(t, async () => (await startMovedRedis(t)).url, { skip: skipWithRedis })
