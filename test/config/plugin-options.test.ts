import { Redis } from 'ioredis'
import t from 'tap'
import type { PluginOptions } from '../../src/config.js'
import { parsePluginOptions } from '../../src/config/load.js'

const client = new Redis({ lazyConnect: true })
t.teardown(() => client.disconnect())

const required = { issuer: 'https://api.example.com', audience: 'https://api.example.com' }

const login: PluginOptions['login'] = async ({ username }) => ({ sub: username })

t.test('the plugin shares the defaults of the gateway', async (t) => {
  const settings = parsePluginOptions({ ...required, tokens: { access: '5m' } } satisfies PluginOptions)
  t.match(settings, {
    ...required,
    prefix: '/auth',
    store: 'redis://127.0.0.1:6379/0',
    tokens: { access: 300_000, refresh: 30 * 86_400_000 },
    login: {},
    refusals: 'answer',
  })
  t.ok(Object.isFrozen(settings))
})

t.test('a client options object and a login function are passed through', async (t) => {
  const store = { host: '127.0.0.1', port: 6380, password: 'p', tls: {} }
  const settings = parsePluginOptions({ ...required, store, login } satisfies PluginOptions)
  t.equal(settings.store, store)
  t.equal(settings.login, login)
  t.notOk(Object.isFrozen(store))
})

t.test('onRefresh is passed through', async (t) => {
  const onRefresh: NonNullable<PluginOptions['onRefresh']> = ({ sub }) => (sub === 'ada' ? {} : null)
  const settings = parsePluginOptions({ ...required, onRefresh } satisfies PluginOptions)
  t.equal(settings.onRefresh, onRefresh)
  t.notOk('onRefresh' in parsePluginOptions({ ...required, onRefresh: undefined }), 'undefined means absent')
})

t.test('a users file can replace the login function', async (t) => {
  const settings = parsePluginOptions({ ...required, login: { users: './users.htpasswd' } })
  t.strictSame(settings.login, { users: './users.htpasswd', origins: [] })
})

t.test('undefined options count as absent', async (t) => {
  t.equal(
    parsePluginOptions({ ...required, prefix: undefined, login: undefined, store: undefined }).prefix,
    '/auth',
  )
})

const cases: [name: string, options: unknown, words: RegExp][] = [
  ['no options', undefined, /issuer: is missing/],
  ['null', null, /issuer: is missing/],
  ['text for options', 'redis://h', /text is not a mapping/],
  ['a setting of the gateway', { ...required, routes: [] }, /routes: is not a setting/],
  ['a listener', { ...required, listen: { port: 1 } }, /listen: is not a setting/],
  [
    'a duration as a number',
    { ...required, tokens: { access: 900 } },
    /tokens.access: "900" has no unit; write a duration such as 15m \(from the plugin’s options\)/,
  ],
  ['a number as text', { ...required, tokens: { refreshLimit: '5' } }, /write the number without quotes/],
  ['a store that is none', { ...required, store: ['redis://h'] }, /store: the value is not text/],
  ['a client as the store', { ...required, store: client }, /store: is a client; pass its options or a URL/],
  ['a login that is none', { ...required, login: 'users' }, /login: text is not a mapping/],
  ['a misspelt onRefresh', { ...required, onrefresh: () => null }, /did you mean onRefresh\?/],
  ['an onRefresh that is none', { ...required, onRefresh: {} }, /onRefresh: is not a function/],
  [
    'unknown refusals',
    { ...required, refusals: 'log' },
    /refusals: "log" is not a valid value; write one of answer, throw/,
  ],
  ['sessions without an end', { ...required, tokens: { refresh: '0s', absolute: '0s' } }, /would never end/],
]
for (const [name, options, words] of cases) {
  t.test(`${name} is refused`, async (t) => {
    t.throws(() => parsePluginOptions(options), { name: 'ConfigError', message: words })
  })
}

t.test('the environment doesn’t affect the plugin', async (t) => {
  process.env['PORTCULLIS_KEYPREFIX'] = 'from-environment'
  t.teardown(() => delete process.env['PORTCULLIS_KEYPREFIX'])
  t.equal(parsePluginOptions(required).keyPrefix, 'portcullis')
})
