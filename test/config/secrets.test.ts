import { inspect } from 'node:util'
import { join } from 'node:path'
import t from 'tap'
import { loadSettings, parsePluginOptions } from '../../src/config/load.js'
import { ConfigError } from '../../src/config/config-error.js'

const SECRET = 'hunter2'
const cases: [name: string, values: object][] = [
  ['a short admin token', { admin: { token: SECRET } }],
  ['an admin token with a space', { admin: { token: `${SECRET} ${'x'.repeat(40)}` } }],
  ['an admin token in the place of admin', { admin: SECRET }],
  ['a signing key with a line missing', { keys: { signing: `${SECRET}\nabc` } }],
  ['a signing key of a wrong type', { keys: { signing: [SECRET] } }],
  ['a signing key in the place of keys', { keys: `-----BEGIN ${SECRET}` }],
  ['a signing key in the place of its directory', { keys: { dir: `-----BEGIN ${SECRET}` } }],
  ['a JWK in the place of its directory', { keys: { dir: `{"k":"${SECRET}"}` } }],
  ['a store of another scheme', { store: `mysql://u:${SECRET}@h` }],
  ['a store with an unescaped password', { store: `redis://:a/${SECRET}#@h` }],
  ['a store with @ in the password', { store: `redis://:a@${SECRET}@h` }],
  ['a store without its host', { store: `redis://:${SECRET}` }],
  ['a store with a newline', { store: `redis://:${SECRET}\n@h` }],
  ['a store as a list', { store: [`redis://:${SECRET}@h`] }],
  ['an upstream with credentials', { routes: [{ path: '/', upstream: `http://u:${SECRET}@h` }] }],
  ['an origin with credentials', { cors: { origins: [`https://u:${SECRET}@h`] } }],
]

for (const [name, values] of cases) {
  t.test(`${name} is refused without being quoted`, async (t) => {
    const failures = [
      () => loadSettings({ preset: { name: 'test', values } }),
      ...('admin' in values || 'routes' in values ? [] : [() => parsePluginOptions(values)]),
    ]
    for (const fail of failures) {
      try {
        fail()
        t.fail('was not refused')
      } catch (error) {
        t.type(error, ConfigError)
        const keys = (error as ConfigError).problems.map(({ key }) => key.split(/[.[]/)[0])
        t.ok(keys.includes(Object.keys(values)[0]), 'the setting is named')
        t.notMatch(inspect(error, { depth: 9 }), new RegExp(SECRET))
      }
    }
  })
}

t.test('a secret in a YAML file is not quoted because of a mistake beside it', async (t) => {
  const file = join(t.testdir({ f: `issuer: i\nadmin: { token: "${SECRET} }\n` }), 'f')
  try {
    loadSettings({ file })
    t.fail('was not refused')
  } catch (error) {
    t.type(error, ConfigError)
    t.notMatch(inspect(error, { depth: 9 }), new RegExp(SECRET))
  }
})

t.test('an invalid secret from a variable’s file is not quoted', async (t) => {
  const file = join(t.testdir({ f: SECRET }), 'f')
  t.throws(() => loadSettings({ env: { PORTCULLIS_ADMIN_TOKEN_FILE: file } }), {
    message: /^(?![^]*hunter2)[^]*admin\.token: is too short/,
  })
})

t.test('a secret of digits, which YAML parses as a number, is not quoted', async (t) => {
  for (const values of [{ admin: { token: 8675309 } }, { keys: { signing: 8675309 } }]) {
    t.throws(() => loadSettings({ preset: { name: 'test', values } }), {
      message: /^(?![^]*8675309)[^]*the value is a number; write text \(in quotes\)/,
    })
  }
})
