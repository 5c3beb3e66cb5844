import t from 'tap'
import { MemoryDenylist } from '../../src/revocation/memory-denylist.js'
import { defineScripts } from '../../src/store/define-scripts.js'
import { RedisCodeStore } from '../../src/store/redis-code-store.js'
import { openOnRedis } from '../support/redis-session-store.js'
import { LONG_LIFE, instance } from '../support/sessions.js'
import { codesContract } from './codes.contract.js'

codesContract(t, async (t, rules) => {
  const { client, clock, keys, store, advance } = await openOnRedis(t)
  const codes = new RedisCodeStore(defineScripts(client), keys)
  const denylist = new MemoryDenylist(clock, LONG_LIFE)
  return { ...instance({ store, codes, denylist }, clock, rules), advance }
})
