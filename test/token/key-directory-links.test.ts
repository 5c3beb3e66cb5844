import { readdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { SIGNING_KEY_FILE, loadKey } from '../../src/token/key-directory.js'

/** Fails as `link` does on SMB and exFAT. */
const failingLink = async () => {
  throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' })
}

t.test(
  'without hard links, 20 instances that start at once have one key, created by one of them',
  async (t) => {
    const dir = join(t.testdir(), 'keys')
    const source = { algorithm: 'ES256' as const, dir }
    const loaded = await Promise.all(Array.from({ length: 20 }, () => loadKey(source, false, failingLink)))
    t.equal(new Set(loaded.map(({ key }) => key.kid)).size, 1)
    t.equal(loaded.filter(({ createdFile }) => createdFile !== undefined).length, 1)
    t.strictSame(readdirSync(dir).toSorted(), ['.gitignore', SIGNING_KEY_FILE], 'no draft is left')
    t.equal(statSync(join(dir, SIGNING_KEY_FILE)).mode & 0o777, 0o600)
  },
)

t.test('a key file that another instance is still writing is read when it is whole', async (t) => {
  const source = { algorithm: 'ES256' as const, dir: t.testdir() }
  const { key } = await loadKey({ ...source, dir: join(source.dir, 'other') })
  const text = JSON.stringify({ ...key.private.export({ format: 'jwk' }), alg: 'ES256' })
  const handle = await open(join(source.dir, SIGNING_KEY_FILE), 'wx', 0o600)
  const loaded = loadKey(source)
  await handle.write(text.slice(0, 20))
  await new Promise(setImmediate)
  await handle.write(text.slice(20))
  await handle.close()
  t.equal((await loaded).key.kid, key.kid)
})
