import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadVerifyingKeys } from '../../src/token/load-verifying-keys.js'
import { newKey } from '../support/access-tokens.js'

const [a, b] = [await newKey('ES256'), await newKey('ES384')]
const pem = a.public.export({ format: 'pem', type: 'spki' }).toString()
const asFile = (path: string) => ({ from: 'file', path }) as const
const asText = (text: string) => ({ from: 'text', text }) as const

t.test('texts and files are joined, and each key is kept once', async (t) => {
  const path = join(t.testdir({}), 'jwks.json')
  await writeFile(path, JSON.stringify({ keys: [a.publicJwk, b.publicJwk] }), { mode: 0o600 })
  const { keys, warnings } = await loadVerifyingKeys([asText(pem), asFile(path)], undefined)
  t.strictSame(
    keys.map(({ kid }) => kid),
    [a.kid, b.kid],
  )
  t.strictSame(warnings, [])
})

t.test('a file that everybody may read is in order, and one that others can change is not', async (t) => {
  const path = join(t.testdir({}), 'issuer.pem')
  await writeFile(path, pem)
  await chmod(path, 0o644)
  t.strictSame((await loadVerifyingKeys([asFile(path)], undefined)).warnings, [])
  await chmod(path, 0o666)
  t.match((await loadVerifyingKeys([asFile(path)], undefined)).warnings, [/is open to others \(mode 666\)/])
})

t.test('a key that is left out of a set is a warning that names the setting', async (t) => {
  const set = asText(JSON.stringify({ keys: [a.publicJwk, { ...b.publicJwk, alg: 'ES999' }] }))
  t.match((await loadVerifyingKeys([set], undefined)).warnings, [/^keys\.verify: the key .*ES999/])
})
