import t from 'tap'
import type { Test } from 'tap'
import { outcomeOf } from '../support/sessions.js'
import { dump, keysOf, openOnRedis } from '../support/redis-session-store.js'
import type { RedisHarness } from '../support/redis-session-store.js'
import { defineScripts } from '../../src/store/define-scripts.js'
import { RedisCodeStore } from '../../src/store/redis-code-store.js'
import { newCode } from '../../src/token/one-time-code.js'
import { hashSecret } from '../../src/token/refresh-token.js'
import { codeStoreContract, LIFE, newSid, store, use } from './code-store.contract.js'
import type { CodeHarness } from './code-store.contract.js'

async function open(t: Test): Promise<CodeHarness & RedisHarness> {
  const harness = await openOnRedis(t)
  return { ...harness, codes: new RedisCodeStore(defineScripts(harness.client), harness.keys) }
}

codeStoreContract(t, open)

t.test('a code, used or not, leaves Redis 3 s after its life', async (t) => {
  const harness = await open(t)
  const [server] = harness.servers
  const [used, unused] = [await store(harness), await store(harness)]
  await use(harness, used)
  for (const { hash } of [used, unused]) {
    const left = await server!.pttl(harness.keys.code(hash))
    t.ok(left > LIFE + 2_000 && left <= LIFE + 3_000, `${left} ms`)
  }
  await harness.advance(LIFE + 3_000)
  t.same(await keysOf(server!, harness.prefix), [])
})

t.test('Redis has only the hash of a code', async (t) => {
  const harness = await open(t)
  const code = newCode()
  await store(harness, { hash: hashSecret(code) })
  await use(harness, { hash: hashSecret(code) })
  const all = JSON.stringify(await dump(harness.servers[0]!, harness.prefix))
  t.ok(all.includes(hashSecret(code)), 'the record was found')
  t.notOk(all.includes(code))
})

t.test('a use that reaches Redis 5 s late doesn’t use up the code', async (t) => {
  const harness = await open(t)
  const scripts = defineScripts(harness.client)
  const code = await store(harness)
  const sent = (late: number) =>
    scripts.useCode(harness.keys.code(code.hash), '', '', newSid(), harness.clock.now(), Date.now() - late)
  await t.rejects(sent(7_000), { message: /^LATE/ })
  t.equal((await use(harness, code)).kind, 'used')
})

t.test('a store that is unreachable is store_unavailable', async (t) => {
  const harness = await open(t)
  const code = await store(harness)
  harness.client.disconnect()
  t.equal(await outcomeOf(() => use(harness, code)), 'store_unavailable')
  t.equal(await outcomeOf(() => store(harness)), 'store_unavailable')
})
