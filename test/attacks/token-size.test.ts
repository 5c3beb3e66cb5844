import t from 'tap'
import { isRefusal, openTokenApp } from '../support/token-app.js'
import type { TokenApp } from '../support/token-app.js'

/** A good token of exactly so many characters. */
function tokenOf(app: TokenApp, length: number): string {
  for (let spare = 0; spare < 4; spare++) {
    for (let filling = Math.floor((length * 3) / 4) - 600; filling < length; filling++) {
      const token = app.forge({ claims: { filling: 'x'.repeat(filling) }, header: { s: 's'.repeat(spare) } })
      if (token.length === length) return token
      if (token.length > length) break
    }
  }
  throw new Error(`no token has ${length} characters`)
}

t.test('a token of up to 8192 characters is verified, a longer one is refused', async (t) => {
  const app = await openTokenApp(t)
  const [longest, longer] = [tokenOf(app, 8_192), tokenOf(app, 8_193)]
  await app.passes(t, longest, 'the longest')
  await app.refuses(t, longer, 'token_malformed', 'one character more')
  t.equal((await app.send([`Authorization: Bearer ${longest}`])).status, 200, 'over a connection, too')
  isRefusal(t, await app.send([`Authorization: Bearer ${longer}`]), 'token_malformed', 'one more', longer)
})

t.test('an oversized token costs only a length check', async (t) => {
  const app = await openTokenApp(t)
  const big = 'A'.repeat(100_000)
  const tokens = {
    'a good token with 100 kB of claims': app.forge({ claims: { filling: big } }),
    'a header of 100 kB': app.forge({ header: { filling: big } }),
    'a payload of 100 kB': `${app.token.split('.')[0]}.${big}.AAAA`,
    'a signature of 100 kB': `${app.token}${big}`,
    '100 kB of dots': '.'.repeat(100_000),
    '100 kB of one letter': big,
    '100 kB of nesting': `${Buffer.from('['.repeat(75_000)).toString('base64url')}.e30.AAAA`,
  }
  await app.bear(app.token)
  for (const [name, token] of Object.entries(tokens)) {
    const begin = performance.now()
    await app.refuses(t, token, 'token_malformed', name)
    t.ok(performance.now() - begin < 500, 'quickly')
  }
})

t.test('deep nesting within the limit is refused without overflow', async (t) => {
  const app = await openTokenApp(t)
  const nested = (open: string, close: string, times: number) => open.repeat(times) + close.repeat(times)
  const deep = Buffer.from(nested('[', ']', 2_900)).toString('base64url')
  await app.refuses(t, `${deep}.e30.AAAA`, 'token_malformed', 'the header')
  const [header, , signature] = app.token.split('.')
  await app.refuses(t, `${header}.${deep}.${signature}`, 'token_invalid', 'the payload')
  const member = JSON.parse(nested('[', ']', 2_000)) as unknown
  await app.passes(t, app.forge({ claims: { member } }), 'a good token with a deep claim')
})

t.test('headers of 100 kB are 431, and the server continues', async (t) => {
  const app = await openTokenApp(t)
  const answer = await app.send([`Authorization: Bearer ${'A'.repeat(100_000)}`])
  t.equal(answer.status, 431)
  t.equal((await app.send([`Authorization: Bearer ${app.token}`])).status, 200)
})
