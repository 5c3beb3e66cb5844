import t from 'tap'
import { encode, headerOf, seal } from '../support/access-tokens.js'
import { openTokenApp } from '../support/token-app.js'

t.test('of duplicate members the last counts, as in the library (RFC 7515 §4)', async (t) => {
  const app = await openTokenApp(t)
  const payload = encode(app.claims)
  const own = JSON.stringify(headerOf(app.key)).slice(1, -1)
  const refused = {
    'alg none after ours': `{${own},"alg":"none"}`,
    'alg HS256 after ours': `{${own},"alg":"HS256"}`,
    'alg none, spelled with an escape': `{${own},"\\u0061lg":"none"}`,
    'typ JWT after ours': `{${own},"typ":"JWT"}`,
    'kid unknown after ours': `{${own},"kid":"x"}`,
    'crit twice': `{${own},"crit":["exp"],"crit":[]}`,
    'jwk spelled with an escape': `{${own},"\\u006awk":{}}`,
  }
  for (const [name, header] of Object.entries(refused)) {
    await app.refuses(t, seal(encode(header), payload, app.key), 'token_invalid', name)
  }
  const [, , signature] = app.token.split('.')
  for (const first of ['"alg":"none"', '"alg":"HS256"', '"kid":"x"', '"typ":"JWT"']) {
    const header = encode(`{${first},${own}}`)
    await app.refuses(
      t,
      `${header}.${payload}.${signature}`,
      'token_invalid',
      `${first} before ours, not signed`,
    )
    await app.passes(t, seal(header, payload, app.key), `${first} before ours, signed by us`)
  }
})

t.test('duplicate claims are read as the library reads them', async (t) => {
  const app = await openTokenApp(t)
  const own = JSON.stringify(app.claims).slice(1, -1)
  const header = encode(headerOf(app.key))
  for (const last of ['"iss":"x"', '"aud":"x"', '"exp":1e9', '"exp":"9e9"', '"sub":""', '"iat":9e9']) {
    const { status } = await app.bear(seal(header, encode(`{${own},${last}}`), app.key))
    t.equal(status, 401, `${last} after ours`)
    await app.passes(t, seal(header, encode(`{${last},${own}}`), app.key), `${last} before ours`)
  }
})

t.test('a header that isn’t a JSON object in UTF-8 is malformed', async (t) => {
  const app = await openTokenApp(t)
  const [payload, text] = [encode(app.claims), JSON.stringify(headerOf(app.key))]
  const bytes: Record<string, Buffer | string> = {
    'a byte order mark': `\uFEFF${text}`,
    'UTF-16': Buffer.from(text, 'utf16le'),
    'a list': `[${text}]`,
    text: JSON.stringify(text),
    null: 'null',
    'a number': '1',
    'nothing but a space': ' ',
    'something behind': `${text}{}`,
    'a zero byte behind': `${text}\0`,
    'a comment': `${text}/**/`,
    'single quotes': text.replaceAll('"', "'"),
    'a comma at the end': text.replace('}', ',}'),
    'a missing brace': text.slice(0, -1),
    NaN: text.replace('}', ',"x":NaN}'),
    'a raw newline in text': text.replace('}', ',"x":"\n"}'),
    'a no-break space between': text.replace(':', ':\u00A0'),
  }
  for (const [name, value] of Object.entries(bytes)) {
    const header = Buffer.from(value as string).toString('base64url')
    await app.refuses(t, seal(header, payload, app.key), 'token_malformed', name)
  }
})

t.test('look-alike or broken characters are different characters', async (t) => {
  const app = await openTokenApp(t)
  const payload = encode(app.claims)
  const text = JSON.stringify(headerOf(app.key))
  const { kid } = app.key
  const changed: Record<string, Buffer | string> = {
    'a Cyrillic a in alg': text.replace('"alg"', '"аlg"'),
    'a full-width alg': text.replace('ES256', 'ＥＳ２５６'),
    'a soft hyphen in kid': text.replace(kid, `${kid}\u00AD`),
    'a zero-width space in kid': text.replace(kid, `\u200B${kid}`),
    'a lone surrogate in kid': text.replace(kid, `${kid}\\ud800`),
    'a byte that isn’t UTF-8 in kid': Buffer.concat([
      Buffer.from(text.slice(0, -2)),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]),
    'an overlong byte in typ': Buffer.from(text.replace('at+jwt', '\u00C1\u00A1t+jwt'), 'latin1'),
    'a long s': text.replace('ES256', 'Eſ256'),
    'members in the prototype': `{"__proto__":${text}}`,
    'members in the constructor': `{"constructor":{"prototype":${text}}}`,
    'no members': '{}',
  }
  for (const [name, value] of Object.entries(changed)) {
    const header = Buffer.from(value as string).toString('base64url')
    t.not(Buffer.from(header, 'base64url').toString(), text, `${name} is a change`)
    await app.refuses(t, seal(header, payload, app.key), 'token_invalid', name)
  }
  const escaped = text.replace('"alg"', '"\\u0061\\u006c\\u0067"').replace('ES256', '\\u0045S256')
  await app.passes(t, seal(encode(escaped), payload, app.key), 'escapes of the very letters')
})

t.test('a payload that isn’t a JSON object is refused, even with our signature', async (t) => {
  const app = await openTokenApp(t)
  const header = encode(headerOf(app.key))
  for (const payload of [
    'null',
    '1',
    '"x"',
    '[]',
    `[${JSON.stringify(app.claims)}]`,
    '{',
    'Payload',
    '{}',
    ' ',
    '\uFEFF{}',
  ]) {
    await app.refuses(
      t,
      seal(header, encode(payload), app.key),
      'token_invalid',
      JSON.stringify(payload).slice(0, 20),
    )
  }
  const inherited = `{"__proto__":${JSON.stringify(app.claims)}}`
  await app.refuses(t, seal(header, encode(inherited), app.key), 'token_invalid', 'claims in the prototype')
  const polluting = `${JSON.stringify(app.claims).slice(0, -1)},"__proto__":{"sub":"root","polluted":1}}`
  const answer = await app.bear(seal(header, encode(polluting), app.key))
  t.match({ status: answer.status, sub: JSON.parse(answer.body).sub }, { status: 200, sub: 'alice' })
  t.notOk('polluted' in {})
})
