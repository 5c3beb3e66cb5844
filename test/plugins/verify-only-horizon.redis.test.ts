/** A server that only verifies needs no setting for the lifetimes of its issuer. */
import fastify from 'fastify'
import t from 'tap'
import portcullis from '../../src/index.js'
import type { PluginOptions } from '../../src/index.js'
import { newKey } from '../support/access-tokens.js'
import { soon } from '../support/gateway-process.js'
import { cleanUp, connect, redisUrl, uniquePrefix } from '../support/redis.js'
import { redisKeys } from '../../src/redis/keys.js'

const trust = { issuer: 'https://login.test', audience: 'https://api.test' }
const key = await newKey('RS256')
const pem = key.public.export({ format: 'pem', type: 'spki' }).toString()
const signing = key.private.export({ format: 'pem', type: 'pkcs8' }).toString()

async function open(keyPrefix: string, options: Partial<PluginOptions>) {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(portcullis, { ...trust, store: redisUrl(), keyPrefix, ...options })
  await app.ready()
  await soon('the instance is ready', () => app.portcullis.isReady())
  return app.portcullis
}

const openIssuer = (keyPrefix: string) =>
  open(keyPrefix, { keys: { signing, algorithm: 'RS256' }, tokens: { access: '30m' } })
const openVerifier = (keyPrefix: string) => open(keyPrefix, { keys: { verify: pem, algorithm: 'RS256' } })

function newPrefix(): string {
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  return prefix
}

t.test('a server that starts after its issuer takes the horizon of the issuer', async (t) => {
  const prefix = newPrefix()
  const issuer = await openIssuer(prefix)
  const settings = redisKeys(prefix).settings
  const redis = connect(t)
  await soon('the issuer has written its settings', () => redis.exists(settings).then((n) => n === 1))
  const verifier = await openVerifier(prefix)
  const { access_token, session_id } = await issuer.issue({ sub: 'ada' })
  t.equal((await verifier.verifyToken(access_token)).sub, 'ada')
  await verifier.revoke({ sid: session_id })
  await t.rejects(issuer.verifyToken(access_token), { code: 'session_ended' })
  const life = await redis.pttl(redisKeys(prefix).deny('sid', session_id))
  t.ok(life > 29 * 60_000 && life < 31 * 60_000, 'its entries live as long as those of the issuer')
})

t.test('a server that starts before its issuer accepts tokens of any lifetime', async (t) => {
  const prefix = newPrefix()
  const verifier = await openVerifier(prefix)
  const issuer = await openIssuer(prefix)
  const { access_token, session_id } = await issuer.issue({ sub: 'ada' })
  t.equal((await verifier.verifyToken(access_token)).sub, 'ada')
  await verifier.revoke({ sid: session_id })
  await t.rejects(issuer.verifyToken(access_token), { code: 'session_ended' })
  await t.rejects(verifier.verifyToken(access_token), { code: 'session_ended' })
})
