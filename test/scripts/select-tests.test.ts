import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'

interface Selection {
  filters?: string[]
  unit?: boolean
  fast?: boolean
}

const root = new URL('../../../', import.meta.url)
const { SLOW, selectTests } = (await import(new URL('scripts/select-tests.mjs', root).href)) as {
  SLOW: string[]
  selectTests: (selection?: Selection) => string[]
}

t.test('the path of a source file selects its compiled file, in every spelling', (t) => {
  const file = 'test/token/token-cookies.test'
  const absolute = fileURLToPath(new URL(`${file}.ts`, root))
  for (const filter of [
    `${file}.ts`,
    `./${file}.ts`,
    absolute,
    `dist/${file}.js`,
    'token/token-cookies',
    '/token-cookies.test.ts',
  ])
    t.same(selectTests({ filters: [filter] }), [`${file}.js`], filter.replace(absolute, 'absolute'))
  t.end()
})

t.test('a path relative to the current folder works, too', (t) => {
  const before = process.env['INIT_CWD']
  t.teardown(() => {
    if (before === undefined) delete process.env['INIT_CWD']
    else process.env['INIT_CWD'] = before
  })
  process.env['INIT_CWD'] = fileURLToPath(new URL('test/flows', root))
  t.same(selectTests({ filters: ['../token/token-cookies.test.ts'] }), ['test/token/token-cookies.test.js'])
  t.end()
})

t.test('several filters select all their matches; one without a match is an error', (t) => {
  const filters = ['test/token/token-cookies.test.ts', 'redis/url']
  t.same(selectTests({ filters }), ['test/redis/url.test.js', 'test/token/token-cookies.test.js'])
  t.throws(() => selectTests({ filters: [...filters, 'no-such-test'] }), /"no-such-test"/)
  t.end()
})

t.test('the fast tests need no Redis and start no server or process, also not through a helper', (t) => {
  const fast = selectTests({ fast: true })
  t.ok(fast.includes('test/token/token-verifier.test.js'))
  t.ok(fast.includes('test/store/session-store.test.js'), 'the contract on memory')
  t.notOk(fast.includes('test/store/session-store.redis.test.js'), 'the contract on Redis')
  t.notOk(fast.includes('test/flows/wire.test.js'), 'a server, by a helper')
  for (const file of fast)
    t.notMatch(readFileSync(new URL(`dist/${file}`, root), 'utf8'), /^import .*child_process/m, file)
  t.end()
})

t.test('the list of slow tests names existing files that would otherwise be fast tests', (t) => {
  const all = selectTests()
  const fast = selectTests({ fast: true })
  for (const file of SLOW) {
    t.ok(all.includes(file), `${file} exists`)
    t.notOk(fast.includes(file), `${file} is left out`)
  }
  t.end()
})
