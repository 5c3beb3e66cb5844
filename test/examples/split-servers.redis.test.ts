import t from 'tap'
import { skipWithRedis, startMovedRedis } from '../support/moved-time.js'
import { startRedis } from '../support/redis.js'
import type { Scope } from '../support/redis.js'
import { read, splitServersContract, start } from './split-servers.contract.js'

t.setTimeout(240_000)

// The time of this process stays where a test has moved it, so each Redis needs a clock that moves, too.
const startStore = async (t: Scope) => (await (skipWithRedis ? startRedis(t) : startMovedRedis(t))).url

splitServersContract(t, { startStore, skip: skipWithRedis })

t.test('after a logout at the auth server, no business server accepts the token', async (t) => {
  const { business, clientOf } = await start(t, await startStore(t))
  const { client } = clientOf(business.byKey)
  await client.logIn()
  const { access_token: token } = client.tokens()!
  for (const url of Object.values(business)) t.equal((await read(url, token)).status, 200)
  await client.logOut()
  for (const url of Object.values(business))
    t.match(await read(url, token), { status: 401, code: 'session_ended' })
})

t.test('a logout at a business server ends the session at the auth server', async (t) => {
  const { authUrl, business, clientOf } = await start(t, await startStore(t))
  const { client } = clientOf(business.byKey)
  await client.logIn()
  const { access_token, refresh_token } = client.tokens()!
  const post = (url: string, body: object) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}` },
      body: JSON.stringify(body),
    })
  t.equal((await post(`${business.byUrl}/auth/logout`, {})).status, 204)
  const refused = await post(`${authUrl}/auth/refresh`, { refresh_token })
  t.match([refused.status, await refused.json()], [401, { code: 'session_ended' }])
})
