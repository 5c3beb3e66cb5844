import t from 'tap'
import type { Test } from 'tap'
import { home } from '../support/gateway-process.js'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { slidingRenewalContract } from './sliding-renewal.contract.js'

t.setTimeout(180_000)

const onRedis = async (t: Test) => ({
  store: (await startMovedRedis(t)).url,
  keys: { dir: await home(t) },
})
slidingRenewalContract(t, onRedis, { skip: skipWithRedis })
