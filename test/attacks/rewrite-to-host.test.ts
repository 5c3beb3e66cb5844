/** After `rewritePrefix`, a request target begins with two slashes: many programs read what follows as a host. */
import t from 'tap'
import { startWire } from '../support/wire.js'

t.test('no rewritten target names a host', async (t) => {
  const wire = await startWire(t)
  const { upstream } = wire
  const allow = ['double-slash', 'encoded-slash', 'semicolon']
  const { send } = await startWire(t, {
    routes: [
      { path: '/api', upstream: upstream.url, auth: 'none', rewritePrefix: '/', targetAllow: allow },
      { path: '/v1', upstream: upstream.url, auth: 'none', rewritePrefix: '/v2', targetAllow: allow },
    ],
  })
  const ask = async (target: string) => {
    const { statuses } = await send(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    return statuses[0]
  }
  for (const target of [
    '/api//evil/admin',
    '/api///evil',
    '/api//evil/admin?x',
    '/api/%2Fevil/admin',
    '/api//%2fevil',
    '/api/;x/evil',
    '/api/;/evil',
  ])
    t.equal(await ask(target), 400, target)
  t.strictSame(upstream.requests, [])

  for (const [target, expected] of [
    ['/api/evil//admin', '/evil//admin'],
    ['/api', '/'],
    ['/api/', '/'],
    ['/api?//x', '/?//x'],
    ['/v1//x', '/v2//x'],
  ] as const) {
    t.equal(await ask(target), 200, target)
    t.equal(upstream.requests.at(-1)!.target, expected)
  }
})
