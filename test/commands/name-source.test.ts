/** Errors that are found only at the start say which setting is wrong, and where it was written. */
import { writeFile } from 'node:fs/promises'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { startGateway } from '../../src/commands/serve.js'
import { nameSource } from '../../src/commands/name-source.js'
import { checkSettings } from '../../src/commands/check-settings.js'
import { loadGatewaySettings } from '../../src/config.js'
import type { Sources } from '../../src/config.js'
import { startServer } from '../../src/server.js'
import { home, settingsFor } from '../support/gateway-process.js'
import { listen } from '../support/forwarding.js'

const directory = await home(t)
/** Starts as `portcullis serve` does, without its handlers of signals. */
const start = (sources: Sources) => {
  const { settings, warnings, sourceOf } = loadGatewaySettings(sources)
  return nameSource(startServer(settings, warnings), sourceOf)
}
const messageOf = (started: Promise<unknown>) =>
  started.then(
    () => t.fail('it has started') as never,
    ({ message }: Error) => message,
  )
const preset = (overrides: object = {}) => ({
  name: 'the test',
  values: settingsFor(directory, { ...overrides }),
})
const path = (name: string) => join(directory, name)
await writeFile(path('empty.htpasswd'), '')
await writeFile(path('bad.htpasswd'), '\nada:secret\n')
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
await writeFile(path('rsa.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
const taken = await listen(t, createServer())

const mistakes: readonly [what: string, flags: Record<string, string>, message: RegExp][] = [
  [
    'a users file that is missing',
    { 'login.users': path('nobody') },
    /^login\.users: the users file .*nobody can’t be read: ENOENT/,
  ],
  [
    'a directory as users file',
    { 'login.users': directory },
    /^login\.users: the users file .* is a directory; /,
  ],
  [
    'a device as users file',
    { 'login.users': '/dev/null' },
    /^login\.users: the users file \/dev\/null is not a regular file; /,
  ],
  [
    'a users file without users',
    { 'login.users': path('empty.htpasswd') },
    /^login\.users: .*empty\.htpasswd has no users/,
  ],
  [
    'a mistake in the users file',
    { 'login.users': path('bad.htpasswd') },
    /^login\.users: .*bad\.htpasswd, line 2: /,
  ],
  ['a key file that is missing', { 'keys.signing': path('nothing.pem') }, /^keys\.signing: .*ENOENT/],
  ['a directory as key file', { 'keys.signing': directory }, /^keys\.signing: .*EISDIR/],
  [
    'an RSA key for ES256',
    { 'keys.signing': path('rsa.pem') },
    /^keys\.signing: ES256 .* set keys\.algorithm: RS256 /,
  ],
  ['a CA file that is missing', { 'upstreams.ca': path('ca.pem') }, /^upstreams\.ca: the file .*ENOENT/],
]
const starts: typeof mistakes = [
  [
    'a key directory that is a file',
    { 'keys.dir': path('rsa.pem') },
    /^keys\.dir: no signing key could be created in .*rsa\.pem: /,
  ],
  [
    'a host without an address',
    { 'listen.host': 'no.such.host.invalid' },
    /^listen\.host: the name no\.such\.host\.invalid has no address/,
  ],
  [
    'a host of another machine',
    { 'listen.host': '192.0.2.1' },
    /^listen\.host: 192\.0\.2\.1 is no address of this machine/,
  ],
  ['a port in use', { 'listen.port': String(taken) }, /^listen\.port: \d+ is in use/],
]

t.test('at the start, with the flag', async (t) => {
  for (const [what, flags, message] of [...mistakes, ...starts]) {
    const text = await messageOf(start({ flags, preset: preset() }))
    t.match(text, message, what)
    t.ok(text.endsWith(` (from --${Object.keys(flags)[0]})`), text)
  }
})

t.test('with --check, and another source', async (t) => {
  for (const [what, flags, message] of mistakes) {
    const [[key, value]] = Object.entries(flags) as [[string, string]]
    const env = { [`PORTCULLIS_${key.replaceAll('.', '_').toUpperCase()}`]: value }
    const text = await messageOf(checkSettings({ env, preset: preset() }))
    t.match(text, message, what)
    t.ok(text.endsWith(` (from ${Object.keys(env)[0]})`), text)
  }
})

t.test('with the line of the configuration file, and for the admin listener', async (t) => {
  const file = path('portcullis.yaml')
  await writeFile(
    file,
    JSON.stringify(settingsFor(directory, { admin: { host: '192.0.2.1', port: 0 } }), null, 2),
  )
  const sources: Sources = { file }
  t.match(
    await messageOf(startGateway(sources)),
    /^admin\.host: 192\.0\.2\.1 .* \(from .*portcullis\.yaml.*\d+\)$/,
  )
})
