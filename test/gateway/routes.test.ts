import t from 'tap'
import { compileFoldedRoutes, compileRoutes } from '../../src/gateway/routes.js'
import { checkTarget } from '../../src/gateway/request-target.js'

const table = compileRoutes([
  { path: '/', name: 'rest' },
  { path: '/post', methods: ['GET'], name: 'read' },
  { path: '/post', methods: ['POST', 'PUT'], name: 'write' },
  { path: '/post/all', name: 'all' },
  { path: '/files/', methods: ['GET'], name: 'files' },
  { path: '/caf%c3%a9', name: 'café' },
  { path: '/%61pi', name: 'api' },
])

const found = (method: string, path: string) => table.find(method, path)?.name

t.test('the longest path wins among the routes that list the method', async (t) => {
  t.equal(found('GET', '/post'), 'read')
  t.equal(found('GET', '/post/1'), 'read')
  t.equal(found('POST', '/post/1'), 'write')
  t.equal(found('GET', '/post/all'), 'all')
  t.equal(found('POST', '/post/all'), 'all')
  t.equal(found('GET', '/post/all/x/y/z'), 'all')
  t.equal(found('DELETE', '/post/1'), 'rest', 'no route at /post lists it: the shorter path has it')
  t.equal(found('GET', '/'), 'rest')
  t.equal(found('GET', `/${'x/'.repeat(4000)}`), 'rest')
})

t.test('paths match by whole segments and case', async (t) => {
  t.equal(found('GET', '/posts'), 'rest')
  t.equal(found('GET', '/post/allow'), 'read')
  t.equal(found('GET', '/Post'), 'rest')
  t.equal(found('GET', '/post/'), 'read')
  t.equal(found('GET', '/files'), 'files', 'a slash at the end of a route says nothing')
  t.equal(found('GET', '/files/a'), 'files')
})

t.test('escaped characters in a route or a request match their plain form', async (t) => {
  for (const [target, name] of [
    ['/api/x', 'api'],
    ['/%61%70%69/x', 'api'],
    ['/caf%C3%A9', 'café'],
    ['/caf%c3%a9/x', 'café'],
  ] as const) {
    const judged = checkTarget(target, { target: 100 })
    t.equal(judged.ok && found('GET', judged.match), name, target)
  }
})

t.test('GET includes HEAD; no methods means all except TRACE and CONNECT', async (t) => {
  t.equal(found('HEAD', '/post'), 'read')
  t.equal(found('PROPFIND', '/x'), 'rest')
  t.equal(found('TRACE', '/x'), undefined)
  t.equal(found('CONNECT', '/x'), undefined)
  const traced = compileRoutes([{ path: '/', methods: ['TRACE'] }])
  t.ok(traced.find('TRACE', '/x'), 'a route may list it by name')
})

t.test('a route for HEAD comes before one for GET, in either order', async (t) => {
  const get = { path: '/', methods: ['GET'] }
  const head = { path: '/', methods: ['HEAD'] }
  t.equal(compileRoutes([get, head]).find('HEAD', '/'), head)
  t.equal(compileRoutes([head, get]).find('HEAD', '/'), head)
})

t.test('of two routes with one path, the one that lists the method wins', async (t) => {
  const some = { path: '/x', methods: ['GET'] }
  const all = { path: '/x' }
  for (const routes of [
    [some, all],
    [all, some],
  ]) {
    t.equal(compileRoutes(routes).find('GET', '/x'), some)
    t.equal(compileRoutes(routes).find('HEAD', '/x'), some)
    t.equal(compileRoutes(routes).find('POST', '/x'), all)
  }
})

t.test('no route is found if none covers the path', async (t) => {
  const narrow = compileRoutes([{ path: '/post', methods: ['GET'] }])
  t.equal(narrow.find('GET', '/'), undefined)
  t.equal(narrow.find('GET', '/pos'), undefined)
  t.equal(narrow.find('GET', '/poster'), undefined)
  t.equal(narrow.find('POST', '/post'), undefined)
  t.equal(compileRoutes([]).find('GET', '/'), undefined)
})

t.test('a contradictory route table is an error', async (t) => {
  t.throws(
    () => compileRoutes([{ path: '/x' }, { path: '/x/' }]),
    /two routes with the path \/x\/ .* no "methods"/,
  )
  t.throws(
    () =>
      compileRoutes([
        { path: '/x', methods: ['GET', 'PUT'] },
        { path: '/%78', methods: ['PUT'] },
      ]),
    /two routes .* list PUT/,
  )
  t.throws(() => compileRoutes([{ path: '/x', methods: [] }]), /lists no method/)
  for (const path of ['x', '/a/../b', '/a//b', '/a%2fb', '/é', '/a;b', '']) {
    t.throws(() => compileRoutes([{ path }]), /can't match any request/, path)
  }
  t.throws(() => compileRoutes([{ path: '/a?b' }]), /must not contain a query/)
})

t.test('a long path is read once, however long the routes that almost match', async (t) => {
  /** The least CPU time of look-ups, in µs a segment. */
  const cost = (segments: number) => {
    const start = '/a'.repeat(segments)
    const long = compileRoutes([
      { path: '/', name: 'rest' },
      { path: `${start}/b`, name: 'long' },
    ])
    t.equal(long.find('GET', `${start}/b`)?.name, 'long')
    const target = `${start}/c`
    const times = Array.from({ length: 7 }, () => {
      const before = process.cpuUsage()
      for (let i = 0; i < 20_000 / segments; i += 1) long.find('GET', target)
      return process.cpuUsage(before).user
    })
    t.equal(long.find('GET', target)?.name, 'rest')
    return Math.max(1, Math.min(...times)) / 20_000
  }
  cost(100)
  const [short, long] = [cost(100), cost(4_000)]
  t.ok(long < 8 * short, `a segment of 100: ${short} µs, of 4,000: ${long} µs`)
})

t.test('a long run of dots costs no more than a path of the same length', async (t) => {
  const folded = compileFoldedRoutes([{ path: '/admin' }])
  const dots = '.'.repeat(8_000)
  const find = (match: string) => {
    const begin = performance.now()
    for (let n = 0; n < 20; n += 1) folded.find('GET', match)
    return performance.now() - begin
  }
  find(`/a${dots}x/B.`)
  const [plain, long] = [find(`/${'a'.repeat(8_000)}x/B.`), find(`/a${dots}x/B.`)]
  t.ok(
    long < 20 * plain + 50,
    `${long.toFixed(1)} ms beside ${plain.toFixed(1)} ms; quadratic would be seconds`,
  )
  t.equal(folded.find('GET', '/ADMIN.../x')?.path, '/admin')
})

t.test('a long run of escaped spaces costs no more than a path of the same length', async (t) => {
  const folded = compileFoldedRoutes([{ path: '/my%20files' }])
  const find = (match: string) => {
    const begin = performance.now()
    for (let n = 0; n < 20; n += 1) folded.find('GET', match)
    return performance.now() - begin
  }
  const spaces = '.%20'.repeat(2_000)
  find(`/a${spaces}x/B.`)
  const [plain, long] = [find(`/${'a'.repeat(8_000)}x/B.`), find(`/a${spaces}x/B.`)]
  t.ok(long < 20 * plain + 50, `${long.toFixed(1)} ms beside ${plain.toFixed(1)} ms`)
  t.equal(folded.find('GET', '/My%20Files.%20/x')?.path, '/my%20files')
  t.equal(folded.find('GET', '/my%20files%20')?.path, '/my%20files')
})

t.test('a route for a host goes before one for all hosts, on the same path only', async (t) => {
  const hosts = ['a.example']
  const routes = [
    { path: '/', name: 'all' },
    { path: '/', hosts, methods: ['GET'], name: 'a reads' },
    { path: '/x', hosts, name: 'a' },
    { path: '/x', methods: ['GET'], name: 'all read' },
    { path: '/x/y', name: 'all, deeper' },
  ]
  for (const compiled of [compileRoutes(routes), compileFoldedRoutes(routes)]) {
    const find = (method: string, path: string, host?: string) => compiled.find(method, path, host)?.name
    t.equal(find('HEAD', '/', 'A.example.:80'), 'a reads')
    t.equal(find('POST', '/', 'a.example'), 'all')
    t.equal(find('GET', '/', 'b.example'), 'all')
    t.equal(find('GET', '/'), 'all')
    t.equal(find('GET', '/x', 'a.example'), 'a')
    t.equal(find('GET', '/x/y', 'a.example'), 'all, deeper')
    t.equal(find('POST', '/x', 'b.example'), 'all')
  }
  const [, , one] = routes
  t.throws(() => compileRoutes([one!, { ...one!, hosts: ['b.example', 'a.example'] }]), /no "methods"/)
})
