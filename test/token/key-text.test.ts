import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadSettings } from '../../src/config/load.js'
import { loadKey } from '../../src/token/key-directory.js'
import { generateKey, importKey } from '../../src/token/signing-key.js'

const jwk = generateKey('ES256')
const object = createPrivateKey({ key: jwk as never, format: 'jwk' })
const pem = object.export({ format: 'pem', type: 'pkcs8' }).toString()
const sec1 = object.export({ format: 'pem', type: 'sec1' }).toString()
const base64 = (text: string) => Buffer.from(text).toString('base64')
const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'

const spellings: readonly [what: string, text: string][] = [
  ['line breaks written as \\n', pem.replaceAll('\n', '\\n')],
  ['line breaks written as \\r\\n, in quotes', `"${pem.replaceAll('\n', '\\r\\n')}"`],
  ['base64 of the PEM', base64(pem)],
  ['base64 of the PEM in lines', base64(pem).replaceAll(/.{60}/g, '$&\n')],
  ['base64 of the JWK', base64(JSON.stringify(jwk))],
  ['an indented PEM', pem.replaceAll(/^/gm, '    ')],
  ['a PEM folded into one line', pem.trim().replaceAll('\n', ' ')],
  ['bag attributes before the PEM', `Bag Attributes\n    friendlyName: x\nKey Attributes: <None>\n${pem}`],
  ['EC parameters before the PEM', `${parameters}${sec1}`],
  ['a JWK Set of one key', JSON.stringify({ keys: [jwk] })],
]

const { kid } = await importKey(pem, 'ES256')
for (const [what, text] of spellings) {
  t.test(`${what}: the key is read, from the setting, a variable and a file`, async (t) => {
    const values = { issuer: 'i', audience: 'a', keys: { signing: text } }
    const env = { PORTCULLIS_ISSUER: 'i', PORTCULLIS_AUDIENCE: 'a', PORTCULLIS_KEYS_SIGNING: text }
    const path = join(t.testdir(), 'key')
    await writeFile(path, text, { mode: 0o600 })
    for (const { keys } of [
      loadSettings({ preset: { name: 'test', values } }).settings,
      loadSettings({ env }).settings,
      loadSettings({ preset: { name: 'test', values: { ...values, keys: { signing: path } } } }).settings,
    ]) {
      const loaded = await loadKey(keys)
      t.equal(loaded.key.kid, kid)
    }
  })
}

t.test('a JWK with alg Ed25519 is for EdDSA', async (t) => {
  const ed25519 = { ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), alg: 'Ed25519' }
  t.equal((await importKey(JSON.stringify(ed25519), 'EdDSA')).algorithm, 'EdDSA')
  await t.rejects(importKey(JSON.stringify(ed25519), 'ES256'), { message: /for alg Ed25519/ })
})

t.test('a JWK Set of several keys is refused', async (t) => {
  const keys = [jwk, generateKey('ES256')]
  await t.rejects(importKey(JSON.stringify({ keys }), 'ES256'), { message: /JWK Set has 2 keys/ })
})
