/** An issuer with its private key, and a server in another process and directory that has only the public key. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadKey } from '../../src/token/key-directory.js'
import {
  ADMIN,
  guarded,
  logInOften,
  logout,
  readiness,
  startInstance,
  untilReady,
} from '../support/gateway-instances.js'
import { call, home, isRefused, logIn, soon } from '../support/gateway-process.js'
import { cleanUp, redisUrl, uniquePrefix } from '../support/redis.js'

const keyPrefix = uniquePrefix()
cleanUp(t, keyPrefix)
const [issuerHome, verifierHome] = [await home(t), await home(t)]
const shared = { store: redisUrl(), keyPrefix, admin: ADMIN }
const issuer = await startInstance(t, issuerHome, {
  ...shared,
  keys: { algorithm: 'RS256', dir: join(issuerHome, 'keys') },
})
const { key } = await loadKey({ algorithm: 'RS256', dir: join(issuerHome, 'keys') })
const verify = join(verifierHome, 'issuer.pem')
await writeFile(verify, key.public.export({ format: 'pem', type: 'spki' }))
const verifyOnly = { login: {}, keys: { algorithm: 'RS256', verify } }
const verifier = await startInstance(t, verifierHome, { ...shared, ...verifyOnly })
await untilReady([issuer, verifier])

t.test('after the logout at the issuer, the verifier accepts 0 of 3,000 tokens', async (t) => {
  const sessions = await logInOften([issuer], 300)
  const before = await Promise.all(sessions.map(({ access_token }) => guarded(verifier, access_token)))
  t.equal(before.filter(({ status }) => status === 200).length, 300, 'all are good before')
  const outcomes = new Map<string, number>()
  const endOne = async (token: string) => {
    const { status } = await logout(issuer, token)
    if (status !== 204) throw new Error(`the logout answered ${status}`)
    const checks = await Promise.all(Array.from({ length: 10 }, () => guarded(verifier, token)))
    for (const { status: found, body } of checks) {
      const outcome = `${found} ${body.code}`
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
  }
  for (let i = 0; i < sessions.length; i += 10)
    await Promise.all(sessions.slice(i, i + 10).map(({ access_token }) => endOne(access_token)))
  t.strictSame(Object.fromEntries(outcomes), { '401 session_ended': 3_000 })
})

t.test('the verifier has no private key, and nothing that needs one', async (t) => {
  const files = await readdir(verifierHome, { recursive: true })
  t.notOk(
    files.some((file) => /jwk|keys/.test(file)),
    files.join(),
  )
  const { access_token, refresh_token } = await logIn(issuer.url)
  for (const [method, path, json] of [
    ['POST', '/auth/login', { username: 'ada', password: 'p' }],
    ['POST', '/auth/refresh', { refresh_token }],
    ['GET', '/.well-known/jwks.json', undefined],
  ] as const)
    isRefused(t, await call(verifier.url, method, path, { json }), 404, 'not_found', path)
  const { sessions } = (await call(verifier.url, 'GET', '/auth/sessions', { token: access_token })).body
  t.ok(sessions.length > 0, 'it lists sessions')
})

t.test('a logout at the verifier ends the session at the issuer, by either token', async (t) => {
  const [one, two] = [await logIn(issuer.url), await logIn(issuer.url)]
  t.equal((await logout(verifier, one.access_token)).status, 204)
  isRefused(t, await guarded(issuer, one.access_token), 401, 'session_ended')
  const json = { refresh_token: two.refresh_token }
  t.equal((await call(verifier.url, 'POST', '/auth/logout', { json })).status, 204)
  isRefused(t, await guarded(issuer, two.access_token), 401, 'session_ended')
})

t.test('the settings of both agree', async (t) => {
  for (const instance of [issuer, verifier]) {
    const { status, body } = await readiness(instance)
    t.match(
      { status, body },
      { status: 200, body: { differingSettings: [], revocation: { check: 'replica' } } },
    )
    t.notOk(instance.records().some(({ event }) => event === 'settings_differ'))
  }
})

t.test('with the URL of the issuer’s keys, the same holds', async (t) => {
  const jwks = `${issuer.url}/.well-known/jwks.json`
  const other = await startInstance(t, await home(t), { ...shared, login: {}, keys: { jwks } })
  await untilReady([other])
  const { access_token } = await logIn(issuer.url)
  t.equal((await guarded(other, access_token)).status, 200)
  t.equal((await logout(issuer, access_token)).status, 204)
  isRefused(t, await guarded(other, access_token), 401, 'session_ended')
  t.match((await readiness(other)).body, { keys: 'fetched' })
})

t.test('without a store it says at the start and in /readyz that it can’t revoke', async (t) => {
  const server = await startInstance(t, await home(t), { ...verifyOnly, store: 'none', admin: ADMIN })
  const said = await soon('it is logged', () =>
    server.records().find(({ event }) => event === 'revocation_off'),
  )
  t.match(said, { level: 40, msg: /store is none.*a logout or a revoke has no effect here/ })
  const { status, body } = await readiness(server)
  t.strictSame([status, body], [200, { status: 'ready', store: 'none', revocation: { check: 'none' } }])
  const { access_token } = await logIn(issuer.url)
  t.equal((await logout(issuer, access_token)).status, 204)
  t.equal((await guarded(server, access_token)).status, 200, 'as it said')
  isRefused(t, await logout(server, access_token), 404, 'not_found')
  const revoked = call(server.adminUrl!, 'POST', '/api/revocations', {
    json: { all: true },
    token: ADMIN.token,
  })
  isRefused(t, await revoked, 404, 'not_found')
})
