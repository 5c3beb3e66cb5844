import t from 'tap'
import { rewriteTarget } from '../../src/gateway/rewrite-target.js'

const cases: [route: string, prefix: string, target: string, sent: string][] = [
  ['/api', '/v2', '/api', '/v2'],
  ['/api', '/v2', '/api/', '/v2/'],
  ['/api', '/v2', '/api/x/y', '/v2/x/y'],
  ['/api', '/v2', '/api?q=/api', '/v2?q=/api'],
  ['/api', '/v2', '/api/?q', '/v2/?q'],
  ['/api', '/v2', '/api/x?', '/v2/x?'],
  ['/api', '/v2', '/api/api/x', '/v2/api/x'],
  ['/api', '/a/b/c', '/api/x', '/a/b/c/x'],
  ['/api/v1', '/', '/api/v1', '/'],
  ['/api/v1', '/', '/api/v1/', '/'],
  ['/api/v1', '/', '/api/v1/x', '/x'],
  ['/api/v1', '/', '/api/v1?q', '/?q'],
  ['/', '/v2', '/', '/v2/'],
  ['/', '/v2', '/x?q', '/v2/x?q'],
  ['/', '/', '/x', '/x'],
  // What is replaced may be spelt otherwise; what follows stays byte for byte.
  ['/api', '/v2', '/%61pi/%61pi', '/v2/%61pi'],
  ['/a-b/c', '/v2', '/a%2Db/%63/%E2%82%ac/x', '/v2/%E2%82%ac/x'],
  ['/api', '/v2', '/api/a%2Fb;v=1//c', '/v2/a%2Fb;v=1//c'],
]
for (const [route, prefix, target, sent] of cases) {
  t.test(`${target} on ${route}, rewritten to ${prefix}, is ${sent}`, async (t) => {
    t.equal(rewriteTarget(target, route, prefix), sent)
  })
}
