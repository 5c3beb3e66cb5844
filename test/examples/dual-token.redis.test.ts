import t from 'tap'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { dualTokenContract } from './dual-token.contract.js'

t.setTimeout(300_000)

dualTokenContract(t, async () => (await startMovedRedis(t)).url, { skip: skipWithRedis })
