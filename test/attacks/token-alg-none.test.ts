import t from 'tap'
import { encode, headerOf } from '../support/access-tokens.js'
import { openTokenApp } from '../support/token-app.js'

const NONES = [
  'none',
  'None',
  'NONE',
  'nOnE',
  ' none',
  'none ',
  'none\0',
  'nоne',
  'ｎｏｎｅ',
  'null',
  '',
  '-',
]
const OTHERS = [null, 0, false, true, [], ['none'], {}, ['ES256', 'none'], undefined]

t.test('alg none in any spelling is refused', async (t) => {
  const app = await openTokenApp(t)
  const [, payload, signature] = app.token.split('.') as [string, string, string]
  for (const alg of [...NONES, ...OTHERS]) {
    const name = `alg ${JSON.stringify(alg)}`
    const header = encode({ ...headerOf(app.key), alg })
    await app.refuses(t, `${header}.${payload}.`, 'token_malformed', `${name}, no signature`)
    await app.refuses(t, `${header}.${payload}`, 'token_malformed', `${name}, two parts`)
    await app.refuses(t, `${header}.${payload}.AAAA`, 'token_invalid', `${name}, any signature`)
    await app.refuses(
      t,
      `${header}.${payload}.${signature}`,
      'token_invalid',
      `${name}, another token’s signature`,
    )
    await app.refuses(t, app.forge({ header: { alg } }), 'token_invalid', `${name}, signed by us`)
  }
  await app.passes(t, app.forge(), 'the same with its true alg')
  await app.passes(t, app.token, 'the token that the login gave')
})

t.test('a valid header without its signature is refused', async (t) => {
  for (const algorithm of ['ES256', 'HS256', 'EdDSA', 'RS256'] as const) {
    const app = await openTokenApp(t, algorithm)
    const [header, payload] = app.token.split('.') as [string, string]
    for (const signature of ['', '.', '=', '""', 'AA==']) {
      await app.refuses(
        t,
        `${header}.${payload}.${signature}`,
        'token_malformed',
        `${algorithm} and “${signature}”`,
      )
    }
    await app.refuses(t, `${header}.${payload}`, 'token_malformed', `${algorithm} and nothing`)
    for (const signature of ['AA', 'AAA', 'bnVsbA', 'e30']) {
      await app.refuses(
        t,
        `${header}.${payload}.${signature}`,
        'token_invalid',
        `${algorithm} and ${signature}`,
      )
    }
    await app.passes(t, app.token, `${algorithm} and its signature`)
  }
})
