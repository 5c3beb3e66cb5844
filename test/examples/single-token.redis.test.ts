import t from 'tap'
import type { Test } from 'tap'
import { home } from '../support/gateway-process.js'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { singleTokenContract } from './single-token.contract.js'

t.setTimeout(180_000)

const onRedis = async (t: Test) => ({
  store: (await startMovedRedis(t)).url,
  keys: { dir: await home(t) },
})
singleTokenContract(t, onRedis, { skip: skipWithRedis })
