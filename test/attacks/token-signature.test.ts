import t from 'tap'
import { openTokenApp } from '../support/token-app.js'
import { otherSpellings } from '../support/access-tokens.js'

const CLASSES = ['A', 'z', '5', '-', '_']

for (const algorithm of ['ES256', 'HS256', 'EdDSA'] as const) {
  t.test(`${algorithm}: a signature with any one character changed is refused`, async (t) => {
    const app = await openTokenApp(t, algorithm)
    const [h, p, s] = app.token.split('.') as [string, string, string]
    for (let i = 0; i < s.length; i++) {
      const other = CLASSES.filter((one) => one !== s[i])[i % 4]!
      const code = i === s.length - 1 ? /token_(?:invalid|malformed)/ : /token_invalid/
      const answer = await app.bear(`${h}.${p}.${s.slice(0, i)}${other}${s.slice(i + 1)}`)
      t.match({ status: answer.status, body: answer.body }, { status: 401, body: code }, `${other} at ${i}`)
    }
    for (const other of CLASSES) {
      const swapped = `${h}.${p}.${s.startsWith(other) ? 'B' : other}${s.slice(1)}`
      await app.refuses(t, swapped, 'token_invalid', `${other} at the beginning`)
    }
    await app.passes(t, app.token, 'unchanged')
  })

  t.test(`${algorithm}: other spellings of the same signature are malformed`, async (t) => {
    const app = await openTokenApp(t, algorithm)
    const others = otherSpellings(app.token)
    t.equal(others.length, algorithm === 'HS256' ? 3 : 15)
    for (const other of others) await app.refuses(t, other, 'token_malformed', `…${other.slice(-3)}`)
    await app.passes(t, app.token, `…${app.token.slice(-3)}`)
  })
}

t.test('a signature belongs to its header and payload', async (t) => {
  const app = await openTokenApp(t)
  const [h, p, s] = app.token.split('.') as [string, string, string]
  const [h2, p2, s2] = app.forge({ header: { x: 1 }, claims: { sub: 'root' } }).split('.') as [
    string,
    string,
    string,
  ]
  const tokens = {
    'another payload': `${h}.${p2}.${s}`,
    'another header': `${h2}.${p}.${s}`,
    'another signature': `${h}.${p}.${s2}`,
    'header and payload exchanged': `${p}.${h}.${s}`,
  }
  for (const [name, token] of Object.entries(tokens)) await app.refuses(t, token, 'token_invalid', name)
  await app.passes(t, `${h}.${p}.${s}`, 'its own')
  t.equal((await app.bear(`${h2}.${p2}.${s2}`)).status, 200, 'the other is good in itself')
})

t.test('a shortened, doubled or lengthened signature is refused', async (t) => {
  for (const algorithm of ['ES256', 'HS256', 'EdDSA', 'RS256', 'PS256'] as const) {
    const app = await openTokenApp(t, algorithm)
    const [h, p, s] = app.token.split('.') as [string, string, string]
    const bytes = Buffer.from(s, 'base64url')
    const changed = {
      'the first byte alone': bytes.subarray(0, 1),
      'the first half': bytes.subarray(0, bytes.length / 2),
      'the last byte gone': bytes.subarray(0, -1),
      'a zero byte after': Buffer.concat([bytes, Buffer.alloc(1)]),
      'a zero byte before': Buffer.concat([Buffer.alloc(1), bytes]),
      'itself after': Buffer.concat([bytes, bytes]),
      reversed: Buffer.from([...bytes].toReversed()),
      'all zero': Buffer.alloc(bytes.length),
      'all one': Buffer.alloc(bytes.length, 0xff),
      'a kilobyte of zeros': Buffer.alloc(1_024),
    }
    for (const [name, other] of Object.entries(changed)) {
      await app.refuses(
        t,
        `${h}.${p}.${other.toString('base64url')}`,
        'token_invalid',
        `${algorithm}: ${name}`,
      )
    }
    await app.passes(t, app.token, `${algorithm}: as it was`)
  }
})
