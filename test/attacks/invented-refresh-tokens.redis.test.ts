/** An attacker sends refresh tokens that nobody has issued, from many addresses, to fill Redis with what they cause. */
import { randomBytes } from 'node:crypto'
import t from 'tap'
import { call, home, isRefused, logIn, startGateway } from '../support/gateway-process.js'
import { cleanUp, connect, redisUrl, uniquePrefix } from '../support/redis.js'
import { loadKey } from '../../src/token/key-directory.js'
import { formatRefreshToken, newRefreshToken } from '../../src/token/refresh-token.js'
import { RefreshTokenProof } from '../../src/token/refresh-token-proof.js'
import type { Test } from 'tap'

const random = (bytes: number) => randomBytes(bytes).toString('base64url')

/** Tokens of every form, none of which was issued. */
const INVENTED = {
  'without a proof': () => [random(16), random(16), random(32)].join('.'),
  'with an invented proof': () => [random(16), random(16), random(32), random(16)].join('.'),
}

const MANY = 150

async function setUp(t: Test) {
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const directory = await home(t)
  const gateway = await startGateway(
    t,
    {
      store: redisUrl(),
      keyPrefix,
      listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
    },
    directory,
  )
  const server = connect(t, redisUrl())
  const { key } = await loadKey({ algorithm: 'ES256', dir: `${directory}/keys` })
  return {
    url: gateway.url,
    proof: new RefreshTokenProof([key.private]),
    keys: async () => (await server.keys(`*${keyPrefix}*`)).toSorted(),
    entries: () => server.xlen(`{${keyPrefix}}:log`),
    forget: (sid: string) => server.del(`${keyPrefix}:session:${sid}`),
  }
}

let peers = 0
/** Sends a refresh token from an address that wasn't used before. */
const send = (url: string, path: string, refreshToken: string) =>
  call(url, 'POST', path, {
    json: { refresh_token: refreshToken },
    headers: { 'x-forwarded-for': `2001:db8:${(peers += 1).toString(16)}::1` },
  })

for (const [name, invent] of Object.entries(INVENTED)) {
  for (const path of ['/auth/logout', '/auth/refresh']) {
    t.test(`tokens ${name}, sent to ${path}, leave nothing in Redis`, async (t) => {
      const { url, keys, entries } = await setUp(t)
      const good = await logIn(url)
      const before = await keys()
      const length = await entries()
      const answers = await Promise.all(Array.from({ length: MANY }, () => send(url, path, invent())))
      for (const { status } of answers) t.ok(status === 401 || status === 503, `${status}`)
      isRefused(
        t,
        answers.find(({ status }) => status === 401)!,
        401,
        path === '/auth/logout' ? 'refresh_token_invalid' : 'session_ended',
      )
      t.strictSame(await keys(), before, 'no key')
      t.equal(await entries(), length, 'no denylist entry')
      t.equal((await send(url, '/auth/refresh', good.refresh_token)).status, 200, 'others are served')
    })
  }
}

t.test('a token of another family can’t end a session, with or without a proof', async (t) => {
  const { url, proof } = await setUp(t)
  const { session_id, access_token, refresh_token } = await logIn(url)
  const [, family, secret, given] = refresh_token.split('.')
  const forged = newRefreshToken()
  for (const token of [
    `${session_id}.${forged.family}.${secret}`,
    `${session_id}.${forged.family}.${secret}.${given}`,
    `${forged.sid}.${family}.${secret}.${given}`,
    formatRefreshToken({ ...forged, sid: session_id as never }, proof),
  ])
    isRefused(t, await send(url, '/auth/logout', token), 401, 'refresh_token_invalid')
  t.equal((await call(url, 'GET', '/auth/me', { token: access_token })).status, 200)
})

t.test('a token from before there were proofs is good until it is rotated', async (t) => {
  const { url } = await setUp(t)
  const older = (token: string) => token.split('.').slice(0, 3).join('.')
  const first = await logIn(url)
  const { status, body } = await send(url, '/auth/refresh', older(first.refresh_token))
  t.equal(status, 200)
  t.equal(body.refresh_token.split('.').length, 4, 'its successor has a proof')
  const second = await logIn(url)
  t.equal((await send(url, '/auth/logout', older(second.refresh_token))).status, 204)
  isRefused(t, await call(url, 'GET', '/auth/me', { token: second.access_token }), 401, 'session_ended')
})

t.test(
  'after its record was lost, a session still ends by a token with a proof, and only by one',
  async (t) => {
    const { url, forget } = await setUp(t)
    const [one, two] = [await logIn(url), await logIn(url)]
    for (const { session_id } of [one, two]) t.equal(await forget(session_id), 1)
    t.equal((await send(url, '/auth/logout', one.refresh_token)).status, 204)
    isRefused(t, await call(url, 'GET', '/auth/me', { token: one.access_token }), 401, 'session_ended')
    const older = two.refresh_token.split('.').slice(0, 3).join('.')
    isRefused(t, await send(url, '/auth/logout', older), 401, 'refresh_token_invalid')
    t.equal(
      (await call(url, 'GET', '/auth/me', { token: two.access_token })).status,
      200,
      'nothing was promised',
    )
  },
)
