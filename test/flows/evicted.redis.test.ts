/** A login takes the place of an earlier session of its device, whose tokens are then refused with a code of their own. */
import t from 'tap'
import type { Test } from 'tap'
import {
  USERS,
  call,
  cookiesOf,
  home,
  isRefused,
  logIn,
  startGateway,
  startUpstream,
} from '../support/gateway-process.js'
import type { Tokens } from '../support/gateway-process.js'
import { guarded, refresh, untilReady } from '../support/gateway-instances.js'
import { openStream, startTicker } from '../support/long-lived-streams.js'
import { startRedis } from '../support/redis.js'

t.setTimeout(120_000)

const CODE = 'signed_in_elsewhere'
const redis = await startRedis(t)
const ticker = await startTicker(t)
const plain = await startUpstream(t)
const settings = {
  sessions: { perDevice: 1 },
  routes: [
    { path: '/optional', upstream: plain.url, auth: 'optional' },
    { path: '/', upstream: ticker },
  ],
}

async function logInOn(base: string, device: string): Promise<Tokens> {
  const json = { username: 'ada', password: USERS.ada, device }
  return (await call(base, 'POST', '/auth/login', { json })).body as Tokens
}

async function isEvicted(t: Test, base: string, { access_token, refresh_token }: Tokens): Promise<void> {
  isRefused(t, await guarded({ url: base }, access_token), 401, CODE)
  isRefused(t, await refresh({ url: base }, refresh_token), 401, CODE)
  const cookies = { '__Host-access': access_token }
  const { status, setCookie } = await call(base, 'GET', '/optional', { cookies })
  t.equal(status, 200, 'anonymous')
  t.strictSame(cookiesOf(setCookie), { '__Host-access': '', '__Secure-refresh': '' })
}

for (const check of ['replica', 'redis', 'presence']) {
  t.test(`check: ${check}: an evicted session is refused as such on every instance`, async (t) => {
    const overrides = { ...settings, store: redis.url, revocation: { check }, keyPrefix: check }
    const directory = await home(t)
    const [{ url: here }, { url: there }] = [
      await startGateway(t, overrides, directory),
      await startGateway(t, overrides, directory),
    ]
    await untilReady([{ url: here }, { url: there }])
    const former = await logInOn(here, 'phone')
    const laptop = await logInOn(here, 'laptop')
    const upload = await openStream(t, 'upload', there, former.access_token)

    const next = await logInOn(here, 'phone')
    for (const each of [there, here]) await isEvicted(t, each, former)
    t.equal((await upload.ended).how, CODE, 'its long-lived connections are cut')
    for (const { access_token } of [next, laptop])
      t.equal((await guarded({ url: there }, access_token)).status, 200)
    t.equal((await call(here, 'POST', '/auth/logout', { token: next.access_token })).status, 204)
    isRefused(t, await guarded({ url: there }, next.access_token), 401, 'session_ended')
    isRefused(t, await refresh({ url: there }, next.refresh_token), 401, 'session_ended')
  })
}

t.test('store: memory: the same, and a repeated logout of an evicted session changes nothing', async (t) => {
  const { url } = await startGateway(t, settings)
  const former = await logIn(url)
  await logIn(url)
  await isEvicted(t, url, former)
  t.equal((await call(url, 'POST', '/auth/logout', { token: former.access_token })).status, 204)
  await isEvicted(t, url, former)
})
