import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { settingFlags } from '../../src/config/help.js'
import { loadSettings } from '../../src/config/load.js'
import type { Sources } from '../../src/config/load.js'
import { ConfigError } from '../../src/config/config-error.js'

const base = 'issuer: https://api.example.com\naudience: https://api.example.com\n'

function fileWith(t: Test, text: string): string {
  return join(t.testdir({ 'portcullis.yaml': text }), 'portcullis.yaml')
}

function refusal(sources: Sources): ConfigError {
  try {
    loadSettings(sources)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('was not refused')
}

t.test('flags override the environment, then the file, a preset and the defaults', async (t) => {
  const file = fileWith(t, `${base}listen: {port: 3, host: 3.3.3.3}\nkeyPrefix: file\nlog: {level: warn}\n`)
  const { settings } = loadSettings({
    file,
    env: { PORTCULLIS_LISTEN_PORT: '2', PORTCULLIS_LISTEN_HOST: '2.2.2.2', PORTCULLIS_KEYPREFIX: 'env' },
    flags: { 'listen.port': '1' },
    preset: { name: 'demo', values: { log: { level: 'debug', requests: true } } },
  })
  t.match(settings, {
    listen: { port: 1, host: '2.2.2.2' },
    keyPrefix: 'env',
    log: { level: 'warn', requests: true },
    prefix: '/auth',
  })
})

t.test('text from flags and variables becomes numbers, booleans, lists and mappings', async (t) => {
  const { settings } = loadSettings({
    file: fileWith(t, base),
    env: {
      PORTCULLIS_TOKENS_REUSEGRACE: '5s',
      PORTCULLIS_COOKIES_SECURE: 'false',
      PORTCULLIS_ACCEPT_FROM: '["cookie"]',
      PORTCULLIS_ROUTES: '[{"path":"/a","upstream":"http://h","forwardToken":true}]',
      PORTCULLIS_RATELIMIT_LOGIN_PERACCOUNT_FAILURES: '3',
    },
    flags: { 'identity.headers': '{"X-User":"sub"}', 'log.requests': 'true', 'tokens.refreshLimit': '50' },
  })
  t.match(settings, {
    tokens: { reuseGrace: 5000, refreshLimit: 50 },
    cookies: { secure: false },
    accept: { from: ['cookie'] },
    routes: [{ path: '/a', upstream: ['http://h'], forwardToken: true }],
    rateLimit: { login: { perAccount: { failures: 3 } } },
    log: { requests: true },
  })
  t.strictSame(settings.identity.headers, { 'X-User': 'sub' })
})

t.test('a list or a mapping replaces the weaker one as a whole', async (t) => {
  const file = fileWith(
    t,
    `${base}identity: {headers: {X-User: sub}}\nlisten: {trustProxy: ["10.0.0.0/8", "::1"]}\n`,
  )
  const { settings } = loadSettings({ file, env: { PORTCULLIS_LISTEN_TRUSTPROXY: '["127.0.0.1"]' } })
  t.strictSame(settings.identity.headers, { 'X-User': 'sub' })
  t.same(settings.listen.trustProxy, ['127.0.0.1'])
})

t.test('problems name the flag, the variable, or the file and line', async (t) => {
  const file = fileWith(
    t,
    `${base}tokens:\n  access: 15\nroutes:\n  - path: /a\n    upstream: http://h\n    auth: maybe\n`,
  )
  const { problems } = refusal({
    file,
    env: {
      PORTCULLIS_LISTEN_PORT: 'x',
      PORTCULLIS_ACCEPT_FROM: '["url"]',
      PORTCULLIS_CORS_ORIGINS: 'https://a',
    },
    flags: { 'tokens.leeway': '3' },
  })
  t.same(Object.fromEntries(problems.map(({ key, source }) => [key, source])), {
    'tokens.access': `${file}:4`,
    'routes[0].auth': `${file}:8`,
    'listen.port': 'PORTCULLIS_LISTEN_PORT',
    'accept.from[0]': 'PORTCULLIS_ACCEPT_FROM',
    'cors.origins': 'PORTCULLIS_CORS_ORIGINS',
    'tokens.leeway': '--tokens.leeway',
  })
  t.match(
    problems.find(({ key }) => key === 'cors.origins')?.message,
    /is not valid JSON; write lists and mappings as JSON here/,
  )
})

t.test('admin can be disabled and enabled from each source, and the strongest decides', async (t) => {
  const token = 'a'.repeat(32)
  const on = fileWith(t, `${base}admin: {port: 9, token: ${token}}\n`)
  t.equal(loadSettings({ file: on, flags: { admin: 'false' } }).settings.admin, false)
  t.equal(loadSettings({ file: on, env: { PORTCULLIS_ADMIN: 'false' } }).settings.admin, false)
  t.strictSame(loadSettings({ file: on, env: { PORTCULLIS_ADMIN_PORT: '8' } }).settings.admin, {
    host: '127.0.0.1',
    port: 8,
    hosts: [],
    token,
  })
  writeFileSync(on, `${base}admin: false\n`)
  t.equal(loadSettings({ file: on }).settings.admin, false)
  t.strictSame(loadSettings({ file: on, flags: { 'admin.port': '8' } }).settings.admin, {
    host: '127.0.0.1',
    port: 8,
    hosts: [],
  })
  const both = refusal({ file: on, env: { PORTCULLIS_ADMIN: 'false', PORTCULLIS_ADMIN_PORT: '8' } })
  t.match(both.problems, [{ key: 'admin', message: 'contradicts PORTCULLIS_ADMIN_PORT; keep one of them' }])
})

t.test('…_FILE reads the value from a file and trims its last newline', async (t) => {
  const dir = t.testdir({ token: `${'s'.repeat(40)}\n`, issuer: 'https://from-file\r\n' })
  const { settings } = loadSettings({
    env: {
      PORTCULLIS_ISSUER_FILE: join(dir, 'issuer'),
      PORTCULLIS_AUDIENCE: 'a',
      PORTCULLIS_ADMIN_TOKEN_FILE: join(dir, 'token'),
    },
  })
  t.equal(settings.issuer, 'https://from-file')
  t.match(settings.admin, { token: 's'.repeat(40) })
})

t.test('an unreadable …_FILE, or one beside its variable, is an error', async (t) => {
  const file = fileWith(t, base)
  t.match(refusal({ file, env: { PORTCULLIS_STORE_FILE: '/nowhere/store' } }).problems, [
    { key: 'store', source: 'PORTCULLIS_STORE_FILE', message: /can’t be read \(ENOENT\)/ },
  ])
  t.match(refusal({ file, env: { PORTCULLIS_STORE_FILE: file, PORTCULLIS_STORE: 'memory' } }).problems, [
    { key: 'store', message: 'both PORTCULLIS_STORE and PORTCULLIS_STORE_FILE are set; keep one' },
  ])
})

t.test('an empty variable is an error, not a value', async (t) => {
  const { problems } = refusal({
    file: fileWith(t, base),
    env: { PORTCULLIS_STORE: '', PORTCULLIS_ADMIN_TOKEN: '' },
  })
  t.match(problems, [
    { key: 'store', message: /is empty/, source: 'PORTCULLIS_STORE' },
    { key: 'admin.token', message: /is empty/ },
  ])
})

t.test('unknown variables with our prefix are warnings without values; others are ignored', async (t) => {
  const { warnings, settings } = loadSettings({
    file: fileWith(t, base),
    env: {
      PORTCULLIS_TOKEN_ACCESS: 'secret-1',
      PORTCULLIS_PORT: 'tcp://10.0.0.1:3000',
      PORTCULLIS_ADMIN_PORT: 'tcp://10.0.0.1:9400',
      PORTCULLIS_SERVICE_HOST: '10.0.0.1',
      PORTCULLIS_UNHEARD_OF_FILE: '/nowhere',
      PATH: '/bin',
      XPORTCULLIS_STORE: 'x',
    },
  })
  t.match(settings.admin, { port: 9400 })
  t.same(warnings.map((warning) => warning.split(' ')[0]).toSorted(), [
    'PORTCULLIS_ADMIN_PORT',
    'PORTCULLIS_PORT',
    'PORTCULLIS_SERVICE_HOST',
    'PORTCULLIS_TOKEN_ACCESS',
    'PORTCULLIS_UNHEARD_OF_FILE',
  ])
  t.match(warnings.join('\n'), /did you mean PORTCULLIS_TOKENS_ACCESS\?/)
  t.notMatch(warnings.join('\n'), /secret-1|10\.0\.0\.1/)
})

t.test('an unknown flag is an error with the nearest known one', async (t) => {
  const { problems } = refusal({ file: fileWith(t, base), flags: { 'listen.prot': '1' } })
  t.match(problems, [{ key: 'listen.prot', message: 'is not a setting; did you mean --listen.port?' }])
})

t.test('flags work with a space or an equals sign', async (t) => {
  const args = ['--listen.port', '3001', '--store=memory', '--admin', 'false', '--issuer=i', '--audience=a']
  const { values } = parseArgs({ args, options: settingFlags(), strict: true })
  t.match(loadSettings({ flags: values }).settings, { listen: { port: 3001 }, store: 'memory', admin: false })
  t.throws(() => parseArgs({ args: ['--listen.prot=1'], options: settingFlags(), strict: true }))
})

t.test(
  'quotes around the value of a variable, as docker’s --env-file keeps them, are removed with a warning',
  async (t) => {
    const { settings, warnings } = loadSettings({
      env: {
        PORTCULLIS_ISSUER: '"https://api.example.com"',
        PORTCULLIS_AUDIENCE: "'https://api.example.com'",
        PORTCULLIS_LISTEN_PORT: '"3001"',
        PORTCULLIS_CORS_ORIGINS: `'["https://app.example.com"]'`,
        PORTCULLIS_STORE: 'redis://:"secret"@h',
      },
    })
    t.match(settings, {
      issuer: 'https://api.example.com',
      audience: 'https://api.example.com',
      listen: { port: 3001 },
      cors: { origins: ['https://app.example.com'] },
      store: 'redis://:"secret"@h',
    })
    t.equal(warnings.length, 4)
    for (const warning of warnings) t.match(warning, /^PORTCULLIS_[A-Z_]+ is in quotes, which were removed/)
  },
)

t.test('a byte order mark in the file of a value is not part of the value', async (t) => {
  const file = fileWith(t, '\uFEFFhttps://api.example.com\r\n')
  const env = { PORTCULLIS_ISSUER_FILE: file, PORTCULLIS_AUDIENCE: 'a' }
  t.equal(loadSettings({ env }).settings.issuer, 'https://api.example.com')
})

t.test('trustProxy: true is refused with what to write, in the file and as a variable', async (t) => {
  const words = /true would be everybody; list the networks of your proxies/
  const file = fileWith(t, `${base}listen: { trustProxy: true }\n`)
  t.match(refusal({ file }).problems, [{ key: 'listen.trustProxy', message: words }])
  const env = { PORTCULLIS_ISSUER: 'i', PORTCULLIS_AUDIENCE: 'a', PORTCULLIS_LISTEN_TRUSTPROXY: 'true' }
  t.match(refusal({ env }).problems, [{ key: 'listen.trustProxy', message: words }])
})
