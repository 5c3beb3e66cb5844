import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { SIGNING_KEY_FILE, loadKey } from '../../src/token/key-directory.js'
import { generateKey } from '../../src/token/signing-key.js'
import type { Algorithm } from '../../src/token/signing-key.js'

const algorithm: Algorithm = 'ES256'
const mode = (path: string) => (statSync(path).mode & 0o777).toString(8)
const place = (t: Test) => {
  const dir = join(t.testdir(), 'keys')
  return { dir, file: join(dir, SIGNING_KEY_FILE) }
}
const keyText = () => JSON.stringify(generateKey(algorithm))

t.test('the first start creates a key that only its owner can read', async (t) => {
  const { dir, file } = place(t)
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  const { createdFile, warnings, key } = await loadKey({ algorithm, dir })
  t.equal(createdFile, file)
  t.equal(mode(file), '600', 'also with a lax umask')
  t.equal(mode(dir), '700')
  t.strictSame(warnings, [])
  t.match(JSON.parse(readFileSync(file, 'utf8')), {
    kty: 'EC',
    crv: 'P-256',
    alg: 'ES256',
    x: key.publicJwk?.x,
  })
})

t.test('the next start uses it', async (t) => {
  const { dir, file } = place(t)
  const first = await loadKey({ algorithm, dir })
  const text = readFileSync(file, 'utf8')
  const second = await loadKey({ algorithm, dir })
  t.equal(second.key.kid, first.key.kid)
  t.equal(second.createdFile, undefined)
  t.equal(readFileSync(file, 'utf8'), text)
})

t.test('an existing key is used, also as PEM, and the directory’s mode isn’t changed', async (t) => {
  const { dir, file } = place(t)
  mkdirSync(dir, { mode: 0o750 })
  chmodSync(dir, 0o750)
  const given = await loadKey({ algorithm, dir: 'unused', signing: { from: 'text', text: keyText() } })
  const pem = given.key.private.export({ format: 'pem', type: 'pkcs8' })
  writeFileSync(file, pem, { mode: 0o600 })
  t.equal((await loadKey({ algorithm, dir })).key.kid, given.key.kid)
  t.equal(readFileSync(file, 'utf8'), pem)
  t.equal(mode(dir), '750')
})

const unusable: [name: string, put: (file: string) => void, words: RegExp][] = [
  ['an empty file', (file) => writeFileSync(file, ''), /neither PEM nor a JWK/],
  ['half a file', (file) => writeFileSync(file, keyText().slice(0, 50)), /not valid JSON/],
  [
    'a key for another algorithm',
    (file) => writeFileSync(file, JSON.stringify(generateKey('EdDSA'))),
    /alg EdDSA/,
  ],
  ['a directory in its place', (file) => mkdirSync(file), /can’t be read: EISDIR/],
  ['a link to nowhere in its place', (file) => symlinkSync('nowhere', file), /can’t be read: ENOENT/],
]
for (const [name, put, words] of unusable) {
  t.test(`${name} is an error that names the setting and the file, and changes nothing`, async (t) => {
    const { dir, file } = place(t)
    mkdirSync(dir)
    put(file)
    const before = readdirSync(dir)
    const error = (await loadKey({ algorithm, dir }).catch((reason: unknown) => reason)) as Error
    t.match(error, { name: 'KeyError', message: words })
    t.match(error.message, /^keys\.dir: /)
    t.ok(error.message.includes(file))
    t.strictSame(readdirSync(dir), before)
  })
}

t.test('a directory that can’t be created is an error that names the setting', async (t) => {
  const base = t.testdir({ file: 'no directory', link: t.fixture('symlink', 'nowhere') })
  for (const dir of [
    join(base, 'file'),
    join(base, 'file', 'keys'),
    join(base, 'link', 'keys'),
    `${base}/\0`,
  ]) {
    await t.rejects(
      loadKey({ algorithm, dir }),
      { name: 'KeyError', message: /^keys\.dir: no signing key could be created in / },
      JSON.stringify(dir),
    )
  }
})

for (const [bits, warns] of [
  [0o600, false],
  [0o400, false],
  [0o640, true],
  [0o604, true],
  [0o620, true],
] as const) {
  t.test(`a file of mode ${bits.toString(8)} is ${warns ? 'warned of' : 'in order'}`, async (t) => {
    const { dir, file } = place(t)
    await loadKey({ algorithm, dir })
    chmodSync(file, bits)
    const expected = warns
      ? [new RegExp(`${SIGNING_KEY_FILE} is open to others \\(mode ${bits.toString(8)}\\)`)]
      : []
    for (const source of [
      { algorithm, dir },
      { algorithm, dir, signing: { from: 'file', path: file } as const },
    ]) {
      const { warnings } = await loadKey(source)
      t.equal(warnings.length, expected.length)
      t.match(warnings, expected)
    }
  })
}

t.test('a directory that others may enter causes a warning', async (t) => {
  const { dir } = place(t)
  t.strictSame((await loadKey({ algorithm, dir })).warnings, [])
  for (const bits of [0o755, 0o710, 0o777]) {
    chmodSync(dir, bits)
    const { warnings } = await loadKey({ algorithm, dir })
    t.match(
      warnings,
      [/the key directory .* is open to others \(mode 7\d\d\); run chmod 700/],
      bits.toString(8),
    )
    t.equal(warnings.length, 1)
  }
})

t.test('a key given as text or file leaves the directory alone', async (t) => {
  const { dir } = place(t)
  const text = keyText()
  const path = join(t.testdirName, 'mine.jwk')
  writeFileSync(path, text, { mode: 0o600 })
  const asText = await loadKey({ algorithm, dir, signing: { from: 'text', text } })
  const asFile = await loadKey({ algorithm, dir, signing: { from: 'file', path } })
  t.equal(asText.key.kid, asFile.key.kid)
  t.strictSame([asText.createdFile, asFile.createdFile], [undefined, undefined])
  t.notOk(existsSync(dir))
})

t.test(
  'an invalid given key is an error that names its setting, and no key is created instead',
  async (t) => {
    const { dir } = place(t)
    const missing = join(t.testdirName, 'missing.pem')
    const given = [
      {
        signing: { from: 'file', path: missing } as const,
        words: /^keys\.signing: .*no file with this path can be read \(ENOENT\)/,
      },
      {
        signing: { from: 'text', text: 'nonsense' } as const,
        words: /^keys\.signing: the key is neither PEM nor a JWK/,
      },
    ]
    for (const { signing, words } of given) {
      await t.rejects(loadKey({ algorithm, dir, signing }), { name: 'KeyError', message: words })
    }
    t.notOk(existsSync(dir))
  },
)
