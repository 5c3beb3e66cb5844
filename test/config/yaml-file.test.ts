import { join } from 'node:path'
import t from 'tap'
import { loadSettings } from '../../src/config/load.js'

const base = 'issuer: i\naudience: a\n'
const laughs = ['l0: &l0 [x, x, x, x, x, x, x, x, x]']
for (let i = 1; i < 9; i++)
  laughs.push(`l${i}: &l${i} [${Array.from({ length: 9 }, () => `*l${i - 1}`).join(', ')}]`)

const cases: [name: string, text: string, words: RegExp][] = [
  [
    'an open bracket',
    `${base}listen: { port: 1\nx: 2\n`,
    /not valid YAML: .+ \(from .+portcullis\.yaml:\d\)/,
  ],
  ['bad indentation', `${base}listen:\n  port: 1\n host: h\n`, /yaml:5\)/],
  ['a tab', `${base}listen:\n\tport: 1\n`, /yaml:4\)/],
  [
    'a key twice',
    `${base}store: memory\nissuer: other\n`,
    /the key issuer is written twice; keep one \(from .+yaml:4\)/,
  ],
  ['a key twice, deep down', `${base}log: { level: info, level: warn }\n`, /the key level is written twice/],
  ['a list at the top', '- issuer\n', /the top level must be a mapping/],
  ['text at the top', 'portcullis\n', /the top level must be a mapping/],
  ['nothing', '# only words\n', /the configuration file is empty/],
  ['two documents', `${base}---\n${base}`, /a second document begins here/],
  ['a billion laughs', `${laughs.join('\n')}\n`, /aliases .* too many/],
  ['an alias to nothing', `${base}store: *hunter2\n`, /alias/],
  ['an unknown tag', `${base}store: !hunter2 memory\n`, /a tag that is not known/],
  ['a merge key', `${base}a: &a {level: info}\nlog: { <<: *a }\n`, /log\."<<": is not a setting/],
  ['a variable', `${base}store: redis://:${'${'}PASSWORD}@h\n`, /\$\{PASSWORD…\} is not replaced.*yaml:3\)/],
  ['a variable with a default', `${base}store: "${'${'}STORE:-hunter2}"\n`, /\$\{STORE…\} is not replaced/],
  ['a prototype', `${base}__proto__: { polluted: true }\n`, /__proto__: is not a setting/],
  ['a nest of brackets', `a: ${'['.repeat(20_000)}`, /nested too deeply|not valid YAML/],
]

for (const [name, text, words] of cases) {
  t.test(`${name} in the file is refused with our own message`, async (t) => {
    const file = join(t.testdir({ 'portcullis.yaml': text }), 'portcullis.yaml')
    t.throws(() => loadSettings({ file }), { name: 'ConfigError', message: words })
    t.throws(() => loadSettings({ file }), { message: /^(?![^]*hunter2)/ })
    t.equal(({} as Record<string, unknown>)['polluted'], undefined)
  })
}

t.test('a missing file is named, with --config as the setting to check', async (t) => {
  t.throws(() => loadSettings({ file: '/nowhere/p.yaml' }), {
    message:
      'the configuration file can’t be read (ENOENT); check the path given to --config (from /nowhere/p.yaml)',
  })
})

t.test('without --config no file is read', async (t) => {
  t.equal(loadSettings({ flags: { issuer: 'i', audience: 'a' } }).settings.issuer, 'i')
})

t.test('aliases work within limits, and their mistakes have a line', async (t) => {
  const text = `${base}timeouts: { connect: &t 3s, headers: *t }\n`
  const file = join(t.testdir({ 'portcullis.yaml': text }), 'portcullis.yaml')
  t.match(loadSettings({ file }).settings.timeouts, { connect: 3000, headers: 3000 })
})
