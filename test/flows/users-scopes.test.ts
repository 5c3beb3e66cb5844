/** A user of the users file reaches a route that needs a scope, as the README's /admin does. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { call, home, isRefused, logIn, startGateway, startUpstream } from '../support/gateway-process.js'

t.test('the scopes of the users file open a route that needs them, and only for their user', async (t) => {
  const directory = await home(t)
  const file = join(directory, 'users.htpasswd')
  await writeFile(file, (await readFile(file, 'utf8')).replace(/^ada:.*$/m, '$&:admin'))
  const upstream = await startUpstream(t)
  const routes = [{ path: '/admin', upstream: upstream.url, scope: ['admin'] }]
  const { url } = await startGateway(t, { routes }, directory)
  const [ada, bob] = [await logIn(url, 'ada'), await logIn(url, 'bob')]
  t.equal((await call(url, 'GET', '/admin', { token: ada.access_token })).status, 200)
  isRefused(t, await call(url, 'GET', '/admin', { token: bob.access_token }), 403, 'insufficient_scope')
})
