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
}

for (const [allowed, targets] of Object.entries(cases)) {
  t.test(`with ${allowed} allowed: forwarded byte for byte, or refused`, async (t) => {
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

t.test('what one route leaves to its upstream, no other does', async (t) => {
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

t.test(
  'rewritePrefix replaces the route’s path and nothing else, also in what is only allowed there',
  async (t) => {
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
  },
)
