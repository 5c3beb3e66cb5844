import t from 'tap'
import { headerRules } from '../../src/gateway/header-rules.js'
import { createRedirectRewriter } from '../../src/gateway/redirects.js'

const rules = headerRules({ identity: [], cookies: [] })
const upstream = { targets: [{ origin: 'http://10.0.0.5:8080' }, { origin: 'https://api.internal' }] }

/** Returns the `Location` that a client of https://shop.example gets. */
function rewrite(value: string, route: { path: string; rewritePrefix?: string }, protocol = 'https') {
  const rewriter = createRedirectRewriter(route, upstream)
  const client = { ip: '192.0.2.1', protocol: protocol as 'http' | 'https', host: 'shop.example' }
  return rewriter(rules, client).response(['Location', value])[1]
}

t.test('a redirect of an upstream to itself becomes a path under the route', async (t) => {
  const orders = { path: '/orders', rewritePrefix: '/v2/orders' }
  const cases: readonly (readonly [string, { path: string; rewritePrefix?: string }, string])[] = [
    ['http://10.0.0.5:8080/v2/orders/7?a=1#b', orders, '/orders/7?a=1#b'],
    ['HTTP://10.0.0.5:8080/v2/orders', orders, '/orders'],
    ['https://api.internal:443/v2/orders?x', orders, '/orders?x'],
    ['/v2/orders/7', orders, '/orders/7'],
    ['https://shop.example/v2/orders/7', orders, '/orders/7'],
    ['http://shop.example/v2/orders/7', orders, '/orders/7'],
    ['//shop.example/v2/orders/7', orders, '/orders/7'],
    ['/login', { path: '/shop', rewritePrefix: '/' }, '/shop/login'],
    ['http://10.0.0.5:8080', { path: '/shop', rewritePrefix: '/' }, '/shop/'],
    ['/v2', { path: '/', rewritePrefix: '/v2' }, '/'],
    ['/v2?a', { path: '/', rewritePrefix: '/v2' }, '/?a'],
    ['http://10.0.0.5:8080?a', { path: '/shop' }, '/?a'],
    ['http://10.0.0.5:8080/shop/x', { path: '/shop' }, '/shop/x'],
    ['/shop/x', { path: '/shop' }, '/shop/x'],
  ]
  for (const [value, route, expected] of cases) t.equal(rewrite(value, route), expected, value)
})

t.test('a reference to another place stays as it is', async (t) => {
  const orders = { path: '/orders', rewritePrefix: '/v2/orders' }
  for (const value of [
    'https://login.example/v2/orders',
    'http://10.0.0.5:8081/v2/orders',
    'http://10.0.0.5/v2/orders',
    'https://10.0.0.5:8080/v2/orders',
    'http://api.internal/v2/orders',
    'http://10.0.0.5:8080@evil.example/v2/orders',
    'http://10.0.0.5:8080.evil.example/v2/orders',
    'http://evil.example\\@10.0.0.5:8080/v2/orders',
    'http://user@10.0.0.5:8080/v2/orders',
    'ftp://10.0.0.5:8080/v2/orders',
    'http:/v2/orders',
    'http://10.0.0.5:8080/v2/ordersx',
    '/v2/ordersx',
    '/v2',
    'v2/orders',
    '../v2/orders',
    '?a',
    '',
  ])
    t.equal(rewrite(value, orders), value, value)
  const toHttps = 'https://shop.example/v2/orders'
  t.equal(rewrite(toHttps, orders, 'http'), toHttps, 'the client changes to https, so that there is no loop')
})

t.test('no rewritten reference leads to another host', async (t) => {
  const authorities = ['http://10.0.0.5:8080', 'https://shop.example', '//shop.example', '']
  const paths = [
    '//evil.example/',
    '/\\evil.example/',
    '///evil.example',
    '/v2//evil.example',
    '/v2/\\evil.example',
  ]
  const routes = [
    { path: '/' },
    { path: '/', rewritePrefix: '/' },
    { path: '/', rewritePrefix: '/v2' },
    { path: '/shop', rewritePrefix: '/v2' },
    { path: '/shop', rewritePrefix: '/' },
  ]
  for (const route of routes) {
    for (const value of authorities.flatMap((authority) => paths.map((path) => authority + path))) {
      const rewritten = rewrite(value, route)!
      const base = 'https://shop.example/x'
      const hosts = [new URL(value, base).host, 'shop.example']
      t.ok(hosts.includes(new URL(rewritten, base).host), `${value} ${JSON.stringify(route)}: ${rewritten}`)
    }
  }
})
