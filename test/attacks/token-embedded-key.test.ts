import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { forge, headerOf, newKey } from '../support/access-tokens.js'
import { openTokenApp } from '../support/token-app.js'

t.test('an embedded or linked key is not used, not fetched, and makes the token invalid', async (t) => {
  const app = await openTokenApp(t)
  const attacker = await newKey('ES256')
  const jwks = JSON.stringify({ keys: [{ ...attacker.publicJwk, kid: app.key.kid }] })
  let fetched = 0
  const server = createServer((_request, response) => {
    fetched++
    response.setHeader('content-type', 'application/jwk-set+json').end(jwks)
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`

  const members: Record<string, unknown> = {
    jwk: attacker.publicJwk,
    'jwk, our own': app.key.publicJwk,
    'jwk, an HMAC’s': { kty: 'oct', k: 'AAAA' },
    jku: url,
    'jku, our own': `${app.claims.iss}/.well-known/jwks.json`,
    x5u: url,
    x5c: [Buffer.from('certificate').toString('base64')],
    'x5c, empty': [],
    'jwk, null': null,
  }
  for (const [name, value] of Object.entries(members)) {
    const member = { [name.split(',')[0]!]: value }
    const header = { ...headerOf(app.key), ...member }
    await app.refuses(
      t,
      forge(attacker, header, app.claims),
      'token_invalid',
      `${name}, signed by the attacker`,
    )
    const own = { ...header, kid: attacker.kid }
    await app.refuses(
      t,
      forge(attacker, own, app.claims),
      'token_invalid',
      `${name}, with the attacker’s kid`,
    )
    await app.refuses(t, app.forge({ header: member }), 'token_invalid', `${name}, though signed by us`)
  }
  t.equal(fetched, 0, 'nobody asked the attacker’s server')
  t.equal(await (await fetch(url)).text(), jwks)
  t.equal(fetched, 1, 'which does answer, and count')
  await app.passes(t, app.forge(), 'the same without such a member')
  await app.passes(
    t,
    app.forge({ header: { cty: 'x', x5t: 'AAAA', foo: { bar: 1 } } }),
    'one with members that mean nothing',
  )
})
