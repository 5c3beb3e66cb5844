import t from 'tap'
import { encode, headerOf, signatureOf } from '../support/access-tokens.js'
import { openTokenApp } from '../support/token-app.js'

t.test('a critical extension is refused (RFC 7515 §4.1.11)', async (t) => {
  const app = await openTokenApp(t)
  const crits = [
    ['exp'],
    ['b64'],
    ['alg'],
    ['crit'],
    ['cty'],
    ['__proto__'],
    [''],
    [1],
    [null],
    [],
    '',
    'exp',
    null,
    false,
    0,
    {},
    true,
  ]
  for (const crit of crits) {
    const header = { crit, exp: 1, cty: 'x' }
    await app.refuses(t, app.forge({ header }), 'token_invalid', `crit ${JSON.stringify(crit)}`)
  }
  await app.passes(t, app.forge({ header: { exp: 1, cty: 'x' } }), 'the same without crit')
})

t.test('an unencoded payload is refused (RFC 7797)', async (t) => {
  const app = await openTokenApp(t)
  for (const b64 of [false, true, null, 0, 'false']) {
    for (const header of [{ b64 }, { b64, crit: ['b64'] }]) {
      const encoded = encode({ ...headerOf(app.key), ...header })
      const name = JSON.stringify(header)
      await app.refuses(t, app.forge({ header }), 'token_invalid', `${name}, signed as encoded`)
      const raw = signatureOf(`${encoded}.${JSON.stringify(app.claims)}`, 'ES256', app.key.private).toString(
        'base64url',
      )
      await app.refuses(
        t,
        `${encoded}.${encode(app.claims)}.${raw}`,
        'token_invalid',
        `${name}, signed as it is`,
      )
      const bare = `${encoded}.${JSON.stringify(app.claims)}.${raw}`
      await app.refuses(t, bare, 'token_malformed', `${name}, sent as it is`)
      await app.refuses(t, `${encoded}..${raw}`, 'token_malformed', `${name}, detached`)
    }
  }
  await app.passes(t, app.forge(), 'the same without b64')
})
