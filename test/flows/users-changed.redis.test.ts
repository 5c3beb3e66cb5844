import t from 'tap'
import type { Test } from 'tap'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { call, home, logIn, serveGateway, soon, startGateway } from '../support/gateway-process.js'
import { cleanUp, redisUrl, startRedis, uniquePrefix } from '../support/redis.js'
import { usersChangedContract } from './users-changed.contract.js'

usersChangedContract(t, async (t: Test) => {
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const directory = await home(t)
  const settings = { store: redisUrl(), keyPrefix }
  const { url: here } = await startGateway(t, settings, directory)
  const { url: there } = await startGateway(t, settings, directory)
  return { here, there, directory }
})

t.test('while Redis is down, the end of sessions is repeated until it is done', async (t) => {
  const redis = await startRedis(t)
  const directory = await home(t)
  const gateway = await serveGateway(t, { store: redis.url }, directory)
  const logged = (name: string) => gateway.records().filter(({ event }) => event === name)
  await soon('it is ready', async () => (await call(gateway.url, 'GET', '/readyz')).status === 200)
  const ada = await logIn(gateway.url, 'ada')
  await redis.freeze()
  const file = join(directory, 'users.htpasswd')
  await writeFile(file, (await readFile(file, 'utf8')).replace(/^ada:.*\n/m, ''))
  await soon('the change was noticed', () => logged('users_changed').length > 0)
  await soon('the end has failed', () => logged('outdated_sessions_failed').length > 0)
  t.match(logged('users_changed'), [{ users: 1, added: 0, removed: 1, changed: 0 }])
  await redis.thaw()
  await soon('the session has ended', () => logged('outdated_sessions_ended').length > 0)
  t.match(logged('outdated_sessions_ended'), [{ sessions: 1 }])
  const me = await call(gateway.url, 'GET', '/auth/me', { token: ada.access_token })
  t.equal(me.body.code, 'session_ended')
})
