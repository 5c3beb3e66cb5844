import { request } from 'node:http'
import t from 'tap'
import { startGateway, startUpstream } from '../support/gateway-process.js'

/** Asks by a target that no client library has made tidy. */
function ask(base: string, path: string): Promise<{ status: number; code: string | undefined }> {
  return new Promise((resolve, reject) => {
    const asked = request(base, { path, agent: false }, (answer) => {
      let text = ''
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece))
      answer.once('end', () => {
        const isProblem = answer.headers['content-type']?.includes('problem+json')
        const code = isProblem ? (JSON.parse(text) as { code: string }).code : undefined
        resolve({ status: answer.statusCode!, code })
      })
    })
    asked.once('error', reject).end()
  })
}

const PASSES = 'passes'

/** Where there is an open route for all and a guarded `/admin`: what each rule lets through. */
const cases: Readonly<Record<string, readonly [target: string, outcome: string][]>> = {
  none: [
    ['/x;v=1', 'target_refused'],
    ['/x//y', 'target_refused'],
    ['/x%2Fy', 'target_refused'],
  ],
  semicolon: [
    ['/x;v=1', PASSES],
    ['/x;v=1/y;w=a,b?q=;', PASSES],
    ['/x;', PASSES],
    ['/;x', PASSES],
    ['/%78;%79', PASSES],
    ['/x;admin', PASSES],
    ['/administrator;x', PASSES],
    ['/x//y', 'target_refused'],
    ['/x;a//y', 'target_refused'],
    ['/x;a%2Fy', 'target_refused'],
    ['/admin;x', 'target_refused'],
    ['/admin;', 'target_refused'],
    ['/%61dmin;x', 'target_refused'],
    ['/admin;x/y', 'target_refused'],
    ['/;x/admin', 'target_refused'],
    ['/;/admin', 'target_refused'],
    ['/public/..;/admin', 'target_refused'],
    ['/public/.;/admin', 'target_refused'],
    ['/x/..;', 'target_refused'],
    ['/x;/../admin', 'target_refused'],
    ['/x%3Bv=1', 'target_refused'],
    ['/auth;x/login', 'target_refused'],
    ['/auth/login;x', 'target_refused'],
    ['/auth;x', 'target_refused'],
    // Guarded by its own route, however it is read.
    ['/admin/x;y', 'credentials_missing'],
  ],
  'double-slash': [
    ['/x//y', PASSES],
    ['/x///', PASSES],
    ['/x//y//z?//', PASSES],
    ['/x//admin', PASSES],
    ['/x;v', 'target_refused'],
    ['//admin', 'target_refused'],
    ['///admin', 'target_refused'],
    ['//x/admin', 'target_refused'],
    ['//x', 'target_refused'],
    ['/x//..//admin', 'target_refused'],
    ['/x//.//admin', 'target_refused'],
    ['//auth/login', 'target_refused'],
    ['/auth//login', 'target_refused'],
    ['/admin//x', 'credentials_missing'],
  ],
  'encoded-slash': [
    ['/x%2Fy', PASSES],
    ['/x%2fy%2f', PASSES],
    ['/x%2Fadmin', PASSES],
    ['/a%20b%2F%E2%82%AC', PASSES],
    ['/x//y', 'target_refused'],
    ['/x%2F%2Fy', 'target_refused'],
    ['/admin%2Fx', 'target_refused'],
    ['/admin%2f', 'target_refused'],
    ['/%2Fadmin', 'target_refused'],
    ['/x%2F..%2Fadmin', 'target_refused'],
    ['/x/..%2Fadmin', 'target_refused'],
    ['/x%2F..', 'target_refused'],
    ['/x%252Fy', 'target_refused'],
    ['/x%5Cy', 'target_refused'],
    ['/x%2F%00', 'target_refused'],
    ['/auth%2Flogin', 'target_refused'],
    ['/x%2F%2e%2e%2Fadmin', 'target_refused'],
    ['/admin/x%2Fy', 'credentials_missing'],
  ],
  'encoded-hash': [
    ['/x%23y', PASSES],
    ['/x%23/admin', PASSES],
    ['/admin%23', 'target_refused'],
    ['/admin%23x/y', 'target_refused'],
    ['/x/..%23', 'target_refused'],
    ['/x%3Fy', 'target_refused'],
    ['/admin/x%23y', 'credentials_missing'],
  ],
  'encoded-question': [
    ['/x%3Fy', PASSES],
    ['/why%3f?really', PASSES],
    ['/admin%3fx', 'target_refused'],
    ['/ADMIN%3Fx', 'target_refused'],
    ['/x/.%3F', 'target_refused'],
    ['/x%23y', 'target_refused'],
  ],
  'encoded-percent': [
    ['/100%25', PASSES],
    ['/100%25/x', PASSES],
    ['/%25zz', PASSES],
    ['/x%2520y', PASSES],
    ['/%2561bout', PASSES],
    ['/%2561dmin', 'target_refused'],
    ['/%252561dmin', 'target_refused'],
    ['/%2541dmin', 'target_refused'],
    ['/x%252Fy', 'target_refused'],
    ['/x%25%32%46y', 'target_refused'],
    ['/x/%252e%252e/admin', 'target_refused'],
    ['/x%2500', 'target_refused'],
    ['/x%25E9', 'target_refused'],
    [`/${'%25'.repeat(1000)}`, PASSES],
    [`/%${'25'.repeat(1000)}`, 'target_refused'],
    ['/100%', 'target_refused'],
  ],
  'encoded-semicolon': [
    ['/x%3Bv=1', PASSES],
    ['/x%3bv/y', PASSES],
    ['/admin%3Bx', 'target_refused'],
    ['/%3Bx/admin', 'target_refused'],
    ['/x/..%3B/admin', 'target_refused'],
    ['/x;v', 'target_refused'],
  ],
  'encoded-backslash': [
    ['/x%5Cy', PASSES],
    ['/x%5cadmin', PASSES],
    ['/admin%5Cx', 'target_refused'],
    ['/%5Cadmin', 'target_refused'],
    ['/x%5C..%5Cadmin', 'target_refused'],
    ['/x/..%5Cadmin', 'target_refused'],
    ['/x\\y', 'target_refused'],
  ],
  'not-utf8': [
    ['/caf%E9', PASSES],
    ['/%E9t%E9/x', PASSES],
    ['/%FF', PASSES],
    ['/ad%E9min', 'target_refused'],
    ['/admin%E9', 'target_refused'],
    ['/x/.%E9./admin', 'target_refused'],
    ['/x/%C0%AE%C0%AE/admin', 'target_refused'],
    ['/x%C0%AFadmin', PASSES],
    ['/admin%C0%AFx', 'target_refused'],
    ['/%C1%A1dmin', 'target_refused'],
    ['/x%C0%80', 'target_refused'],
    ['/x%E0%80%AF..', 'target_refused'],
    ['/x%23', 'target_refused'],
  ],
}

for (const [allowed, targets] of Object.entries(cases)) {
  t.test(`with ${allowed} allowed: forwarded unchanged, or refused`, async (t) => {
    const upstream = await startUpstream(t)
    const targetAllow = allowed === 'none' ? [] : [allowed]
    const { url } = await startGateway(t, {
      routes: [
        { path: '/', upstream: upstream.url, auth: 'none', targetAllow },
        { path: '/admin', upstream: upstream.url, targetAllow },
      ],
    })
    for (const [target, outcome] of targets) {
      const before = upstream.seen.length
      const { status, code } = await ask(url, target)
      t.equal(status === 200 ? PASSES : code, outcome, target)
      const expected = outcome === PASSES ? [target] : []
      t.strictSame(
        upstream.seen.slice(before).map((one) => one.target),
        expected,
        `${target}: what the upstream saw`,
      )
    }
  })
}

t.test('targetAllow of one route affects no other', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/lax', upstream: upstream.url, auth: 'none', targetAllow: ['semicolon', 'double-slash'] },
      { path: '/lax/strict', upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url, auth: 'none' },
    ],
  })
  const outcomes = {
    '/lax/x;v': 200,
    '/lax//x;v': 200,
    '/lax;v/x': 400,
    '/lax/strict/x;v': 400,
    '/lax/strict;v': 400,
    '/lax//strict': 400,
    '/x;v': 400,
    '/lax/x%2Fy': 400,
  }
  for (const [target, status] of Object.entries(outcomes))
    t.equal((await ask(url, target)).status, status, target)
})

t.test('rewritePrefix replaces only the route’s path, also with targetAllow', async (t) => {
  const upstream = await startUpstream(t)
  const { url } = await startGateway(t, {
    routes: [
      {
        path: '/api/v1',
        upstream: upstream.url,
        auth: 'none',
        rewritePrefix: '/legacy',
        targetAllow: ['semicolon', 'encoded-slash'],
      },
      { path: '/bare', upstream: upstream.url, auth: 'none', rewritePrefix: '/' },
    ],
  })
  const sent = {
    '/api/v1/x?a=/api/v1': '/legacy/x?a=/api/v1',
    '/%61pi/v1/%61pi': '/legacy/%61pi',
    '/api/v1/x;v=1/y%2fz': '/legacy/x;v=1/y%2fz',
    '/api/v1': '/legacy',
    '/bare': '/',
    '/bare/x/y': '/x/y',
  }
  for (const [target, expected] of Object.entries(sent)) {
    t.equal((await ask(url, target)).status, 200, target)
    t.equal(upstream.seen.at(-1)!.target, expected, target)
  }
  t.equal((await ask(url, '/api/v1;x/y')).status, 400, 'no route covers every reading')
})
