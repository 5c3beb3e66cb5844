/** Another user of the machine can change the signing key or the users file, and so let anybody in. */
import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadKey } from '../../src/token/key-directory.js'
import { generateKey } from '../../src/token/signing-key.js'
import { home, serveGateway } from '../support/gateway-process.js'

const OTHER = 12_345
const isRoot = process.getuid?.() === 0
const asRoot = isRoot ? {} : { skip: 'only root can give files away' }
const text = JSON.stringify(generateKey('ES256'))
const warn = async (path: string) =>
  (await loadKey({ algorithm: 'ES256', signing: { from: 'file', path } })).warnings

t.test('a key file that others can write or replace is logged', async (t) => {
  const file = join(t.testdir({ 'key.jwk': text }), 'key.jwk')
  chmodSync(file, 0o666)
  t.match(await warn(file), [/open to others \(mode 666\)/])
  const open = join(t.testdirName, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  writeFileSync(join(open, 'key.jwk'), text, { mode: 0o600 })
  t.match(await warn(join(open, 'key.jwk')), [/can be replaced by others/])
})

t.test('a key file or a symbolic link of another user is logged', asRoot, async (t) => {
  const directory = t.testdir({ 'key.jwk': text })
  const file = join(directory, 'key.jwk')
  chmodSync(file, 0o600)
  const link = join(directory, 'link.jwk')
  symlinkSync(file, link)
  t.strictSame(await warn(link), [], 'a symbolic link of our own is in order')
  lchownSync(link, OTHER, OTHER)
  t.match(await warn(link), [/is a symbolic link of another user \(uid 12345\)/])
  chownSync(file, OTHER, OTHER)
  t.match(await warn(file), [/belongs to another user \(uid 12345\)/])
  t.equal((await warn(file)).length, 1)
})

t.test('a secret as Kubernetes mounts it is in order', asRoot, async (t) => {
  const mount = t.testdir({ '..2026': { 'signing.jwk': text } })
  chmodSync(join(mount, '..2026', 'signing.jwk'), 0o400)
  symlinkSync('..2026', join(mount, '..data'))
  symlinkSync('..data/signing.jwk', join(mount, 'signing.jwk'))
  chmodSync(mount, 0o1777)
  t.strictSame(await warn(join(mount, 'signing.jwk')), [])
  t.strictSame((await loadKey({ algorithm: 'ES256', dir: mount })).warnings, [])
})

t.test('a users file that others can change is logged at the start', async (t) => {
  const directory = await home(t)
  chmodSync(join(directory, 'users.htpasswd'), 0o666)
  const gateway = await serveGateway(t, {}, directory)
  const warnings = gateway.records().filter(({ event }) => event === 'users_file_warning')
  t.match(warnings, [{ msg: /the users file .* is open to others \(mode 666\); run chmod 644/ }])
  t.equal(warnings.length, 1)
})
