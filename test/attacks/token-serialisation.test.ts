import t from 'tap'
import { encode, headerOf, otherSpellings, seal } from '../support/access-tokens.js'
import { isRefusal, openTokenApp } from '../support/token-app.js'

t.test('a token is three base64url parts with two dots, and nothing else', async (t) => {
  const app = await openTokenApp(t)
  const { token } = app
  const [h, p, s] = token.split('.') as [string, string, string]
  const within = (part: string, what: string) => part.slice(0, 8) + what + part.slice(8)
  const json = { payload: p, protected: h, signature: s }
  const tokens: Record<string, string> = {
    'a fourth part': `${token}.AAAA`,
    'an empty fourth part': `${token}.`,
    'five parts': `${h}.AAAA.AAAA.${p}.${s}`,
    'an empty first part': `.${token}`,
    'no payload': `${h}..${s}`,
    'the token twice': `${token}.${token}`,
    'the token twice, with a comma': `${token},${token}`,
    'two tokens, with a space': `${token} ${token}`,
    'one padding': `${token}=`,
    'two paddings': `${token}==`,
    'padding in the header': `${h}=.${p}.${s}`,
    'padding in the payload': `${h}.${p}==.${s}`,
    'a space in the header': `${within(h, ' ')}.${p}.${s}`,
    'a space in the payload': `${h}.${within(p, ' ')}.${s}`,
    'a space in the signature': `${h}.${p}.${within(s, ' ')}`,
    'spaces around the dots': `${h} . ${p} . ${s}`,
    'a tab in the payload': `${h}.${within(p, '\t')}.${s}`,
    'a newline in the payload': `${h}.${within(p, '\n')}.${s}`,
    'a newline at the end': `${token}\n`,
    'a CR LF and a header': `${token}\r\nX-Injected: 1`,
    'a zero byte at the end': `${token}\0`,
    'a no-break space at the end': `${token}\u00A0`,
    'a byte that isn’t ASCII within': `${h}.${within(p, '\u00E9')}.${s}`,
    'quotes around': `"${token}"`,
    'angle brackets around': `<${token}>`,
    'dots as escapes': token.replaceAll('.', '%2E'),
    'a dot of another alphabet': token.replace('.', '\u00B7'),
    'the word Bearer again': `Bearer ${token}`,
    'an attribute': `token=${token}`,
    'a quoted attribute': `token="${token}"`,
    'base64’s plus': `${h}.${p}.+${s.slice(1)}`,
    'base64’s slash': `${h}.${p}./${s.slice(1)}`,
    'a tilde': `${h}.${p}.~${s.slice(1)}`,
    'the flattened JSON serialisation': JSON.stringify(json),
    'the general JSON serialisation': JSON.stringify({
      payload: p,
      signatures: [{ protected: h, signature: s }],
    }),
    'the JSON serialisation, encoded': Buffer.from(JSON.stringify(json)).toString('base64url'),
    'no base64url at all': `${JSON.stringify(headerOf(app.key))}.${JSON.stringify(app.claims)}.${s}`,
  }
  for (const [name, text] of Object.entries(tokens)) await app.refuses(t, text, 'token_malformed', name)
  await app.passes(t, token, 'the token itself')
})

t.test('base64 instead of base64url is refused, even with our signature', async (t) => {
  const app = await openTokenApp(t)
  const inBase64 = (part: string) => part.replaceAll('-', '+').replaceAll('_', '/')
  const claims = { ...app.claims, wide: '\u00FB\u00FF?>~\u00BE\u00FF\u00FF' }
  const [header, payload] = [encode(headerOf(app.key)), encode(claims)]
  t.not(inBase64(payload), payload, 'there is something to write otherwise')
  await app.refuses(t, seal(header, inBase64(payload), app.key), 'token_malformed', 'the payload in base64')
  await app.passes(t, seal(header, payload, app.key), 'the payload in base64url')
})

t.test('header and payload have one spelling, even with our signature', async (t) => {
  const app = await openTokenApp(t)
  let tried = 0
  for (const space of ['', ' ', '  ']) {
    const [header, payload] = [
      `${JSON.stringify(headerOf(app.key))}${space}`,
      `${JSON.stringify(app.claims)}${space}`,
    ].map(encode) as [string, string]
    await app.passes(t, seal(header, payload, app.key), 'the one')
    for (const other of otherSpellings(header)) {
      tried++
      await app.refuses(t, seal(other, payload, app.key), 'token_malformed', `header …${other.slice(-3)}`)
    }
    for (const other of otherSpellings(payload)) {
      tried++
      await app.refuses(t, seal(header, other, app.key), 'token_malformed', `payload …${other.slice(-3)}`)
    }
  }
  t.equal(tried, 2 * (15 + 3))
})

t.test('raw bytes in a token over a connection', async (t) => {
  const app = await openTokenApp(t)
  const { token } = app
  const [h, p, s] = token.split('.') as [string, string, string]
  t.equal((await app.send([`Authorization: Bearer ${token}`])).status, 200, 'the control')
  t.equal(
    (await app.send([`Authorization:Bearer   ${token}  \t`])).status,
    200,
    'HTTP’s own white space is not the token’s',
  )
  const malformed: Record<string, string> = {
    'a no-break space at the end': `Authorization: Bearer ${token}\u00A0`,
    'a tab within': `Authorization: Bearer ${h}.${p}\t.${s}`,
    'UTF-8 within': `Authorization: Bearer ${h}.${p}\u00C3\u00A9.${s}`,
    'an empty token': 'Authorization: Bearer',
  }
  for (const [name, line] of Object.entries(malformed)) {
    isRefusal(t, await app.send([line]), 'token_malformed', name, token)
  }
  const unframed: Record<string, string> = {
    'a folded line': `Authorization: Bearer\r\n ${token}`,
    'a folded token': `Authorization: Bearer ${h}.${p}.\r\n\t${s}`,
    'a bare LF': `Authorization: Bearer ${h}\n.${p}.${s}`,
    'a bare CR': `Authorization: Bearer ${h}\r.${p}.${s}`,
    'a zero byte': `Authorization: Bearer ${token}\0`,
    'a space before the colon': `Authorization : Bearer ${token}`,
  }
  for (const [name, line] of Object.entries(unframed)) {
    const { status, body } = await app.send([line])
    t.ok(status === 400 || status === 401, `${name}: ${status}`)
    t.notOk(body.includes(s))
  }
  t.equal((await app.send([`Authorization: Bearer ${token}`])).status, 200, 'and the server lives on')
})
