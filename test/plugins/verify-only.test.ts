/** Applications that have only the public key of an issuer. */
import { PassThrough } from 'node:stream'
import fastify from 'fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import portcullis, { authenticate } from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { generateKey } from '../../src/token/signing-key.js'
import type { SigningKey } from '../../src/token/signing-key.js'
import { forge, headerOf, newKey } from '../support/access-tokens.js'
import { published, startJwksServer } from '../support/jwks-server.js'
import { soon } from '../support/gateway-process.js'

const trust = { issuer: 'https://login.test', audience: 'https://api.test' }
const issuerKey = await newKey('RS256')
const pem = issuerKey.public.export({ format: 'pem', type: 'spki' }).toString()

/** A token as the issuer would have signed it. */
function tokenOf(key: SigningKey, change: object = {}): string {
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: trust.issuer, aud: trust.audience, sub: 'ada', sid: 's', jti: `j${Math.random()}` }
  return forge(key, headerOf(key), { ...claims, iat, exp: iat + 60, ...change })
}

async function open(t: Test, options: Partial<PluginOptions>) {
  const log = new PassThrough({ highWaterMark: 1e8 })
  const app = fastify({ logger: { level: 'info', stream: log } })
  t.teardown(() => app.close())
  await app.register(portcullis, { ...trust, ...options })
  app.get('/orders', { onRequest: authenticate }, async (request) => request.auth!.sub)
  await app.ready()
  const ask = async (url: string, token?: string, method: 'GET' | 'POST' | 'DELETE' = 'GET') => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const { statusCode, body } = await app.inject({ method, url, headers })
    return { status: statusCode, code: /"code":"(\w+)"/.exec(body)?.[1], body }
  }
  return { app, ask, logged: () => String(log.read() ?? '') }
}

const withoutStore = { store: 'none', keys: { verify: pem, algorithm: 'RS256' } } as const

t.test('without a store, tokens are good by key and expiry alone', async (t) => {
  const { app, ask, logged } = await open(t, withoutStore)
  t.match(await ask('/orders', tokenOf(issuerKey)), { status: 200, body: 'ada' })
  t.match(await ask('/auth/me', tokenOf(issuerKey)), { status: 200 })
  t.match(await ask('/auth/verify', tokenOf(issuerKey)), { status: 200 })
  const now = Math.floor(Date.now() / 1000)
  t.match(await ask('/orders', tokenOf(issuerKey, { iat: now - 86_400, exp: now + 86_400 })), { status: 200 })
  t.match(await ask('/orders', tokenOf(issuerKey, { exp: now - 1 })), { status: 401, code: 'token_expired' })
  t.match(await ask('/orders', tokenOf(issuerKey, { iat: now + 60 })), { code: 'token_invalid' })
  t.match(await ask('/orders', tokenOf(issuerKey, { iss: 'x' })), { code: 'token_invalid' })
  t.match(await ask('/orders', tokenOf(await newKey('RS256'))), { status: 401, code: 'token_invalid' })
  t.match(await ask('/orders'), { status: 401, code: 'credentials_missing' })
  t.ok(await app.portcullis.isReady())
  const lines = logged().split('\n')
  t.equal(lines.filter((line) => line.includes('revocation_off')).length, 1, 'it says so once')
})

t.test('what needs the private key, or the sessions, isn’t there', async (t) => {
  const { app, ask } = await open(t, withoutStore)
  const token = tokenOf(issuerKey)
  for (const [method, url] of [
    ['POST', '/auth/login'],
    ['POST', '/auth/refresh'],
    ['POST', '/auth/renew'],
    ['POST', '/auth/logout'],
    ['GET', '/auth/sessions'],
    ['DELETE', '/auth/sessions/s'],
    ['GET', '/.well-known/jwks.json'],
  ] as const)
    t.equal((await ask(url, token, method)).status, 404, url)
  const { portcullis: gate } = app
  const NO_KEY = { name: 'TypeError', message: /only verifies tokens \(keys\.verify or keys\.jwks\)/ }
  await t.rejects(gate.issue({ sub: 'ada' }), NO_KEY)
  await t.rejects(gate.login({ username: 'ada', password: 'x' }, {} as FastifyRequest), NO_KEY)
  await t.rejects(gate.refresh('r'), NO_KEY)
  await t.rejects(gate.renew(token), NO_KEY)
  t.throws(() => gate.setCookies({} as FastifyReply, {} as never), NO_KEY)
  const NO_STORE = { name: 'TypeError', message: /store is none/ }
  await t.rejects(gate.revoke({ sub: 'ada' }), NO_STORE)
  await t.rejects(gate.logout({ accessToken: token }), NO_STORE)
  await t.rejects(gate.sessions.list('ada'), NO_STORE)
  await t.rejects(gate.sessions.endAll('ada'), NO_STORE)
  t.match(await gate.verifyToken(token), { sub: 'ada' })
})

t.test('a long-lived connection without a store ends when its token expires', async (t) => {
  const { app } = await open(t, withoutStore)
  const now = Math.floor(Date.now() / 1000)
  const auth = await app.portcullis.verifyToken(tokenOf(issuerKey, { exp: now + 1 }))
  let code: string | undefined
  app.portcullis.onTokenEnd(auth, (reason) => (code = reason))
  await soon('the connection is ended', () => code)
  t.equal(code, 'token_expired')
})

t.test('an application may publish a JWK Set of its own beside public keys', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.get('/.well-known/jwks.json', async () => 'its own')
  await app.register(portcullis, { ...trust, ...withoutStore })
  t.equal((await app.inject('/.well-known/jwks.json')).body, 'its own')
})

t.test('with the memory store there is a logout, and a warning', async (t) => {
  const { ask, logged } = await open(t, { store: 'memory', keys: { verify: pem, algorithm: 'RS256' } })
  t.match(logged(), /revocation_off.*store is memory/)
  const fresh = { iat: Math.floor(Date.now() / 1000) + 1 }
  const token = tokenOf(issuerKey, fresh)
  t.equal((await ask('/orders', token)).status, 200)
  t.equal((await ask('/auth/logout', token, 'POST')).status, 204)
  t.match(await ask('/orders', token), { status: 401, code: 'session_ended' })
  t.equal((await ask('/auth/refresh', token, 'POST')).status, 404)
})

t.test('a mistake in the keys fails the registration, names the setting, and shows no key', async (t) => {
  const secret = generateKey('RS256')
  for (const [keys, words] of [
    [{ verify: pem }, /^keys\.verify: an RSA key fits several algorithms; set keys\.algorithm/],
    [{ verify: [pem, secret], algorithm: 'RS256' }, /^keys\.verify\[1\]: the JWK contains a private key/],
    [{ verify: './no-such.pem' }, /^keys\.verify: the value is not a key .* \(ENOENT\)/],
    [{ verify: pem, signing: pem }, /keys\.signing are both set/],
  ] satisfies [PluginOptions['keys'], RegExp][]) {
    const app = fastify()
    const error = await Promise.resolve(app.register(portcullis, { ...trust, store: 'none', keys })).then(
      () => new Error('was registered'),
      (reason: Error) => reason,
    )
    t.match(error.message, words)
    t.notOk(error.message.includes(String(secret.d)))
  }
})

t.test('keys of a URL: 503 until they are there, then every new one', async (t) => {
  const server = await startJwksServer(t)
  server.respond((_, response) => void response.writeHead(503).end())
  const { app, ask, logged } = await open(t, { store: 'none', keys: { jwks: server.url } })
  t.match(await ask('/orders', tokenOf(issuerKey)), { status: 503, code: 'store_unavailable' })
  t.match(await ask('/orders', 'no token at all'), { status: 401, code: 'token_malformed' })
  t.notOk(await app.portcullis.isReady())
  t.match(logged(), /jwks_failed/)

  server.publish([published(issuerKey)])
  await soon('the keys are there', () => app.portcullis.isReady())
  t.equal((await ask('/orders', tokenOf(issuerKey))).status, 200)
  const next = await newKey('ES256')
  server.publish([published(issuerKey), published(next)])
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask('/orders', tokenOf(next))))
  t.ok(answers.every(({ status }) => status === 200))
  t.match(await ask('/orders', tokenOf(await newKey('ES256'))), { status: 401, code: 'token_invalid' })
  server.respond((_, response) => void response.destroy())
  t.equal((await ask('/orders', tokenOf(next))).status, 200, 'known keys outlive an outage')
})

t.test('a logout with a token of a new key finds that key', async (t) => {
  const server = await startJwksServer(t, [published(issuerKey)])
  const { ask } = await open(t, { store: 'memory', keys: { jwks: server.url } })
  const next = await newKey('EdDSA')
  server.publish([published(issuerKey), published(next)])
  const token = tokenOf(next, { iat: Math.floor(Date.now() / 1000) + 1 })
  t.equal((await ask('/auth/logout', token, 'POST')).status, 204)
  t.match(await ask('/orders', token), { status: 401, code: 'session_ended' })
})

t.test('in an outage of the denylist, keys that are missing still admit nothing', async (t) => {
  const server = await startJwksServer(t)
  server.respond((_, response) => void response.writeHead(503).end())
  const { ask } = await open(t, {
    store: 'none',
    keys: { jwks: server.url },
    revocation: { onOutage: 'open' },
  })
  t.match(await ask('/orders', tokenOf(issuerKey)), { status: 503, code: 'store_unavailable' })
})
