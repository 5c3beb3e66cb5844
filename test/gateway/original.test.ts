import t from 'tap'
import { createPeerCheck, readOriginal } from '../../src/gateway/original-request.js'

const PATH = '/auth/verify'
const FORWARDED = ['X-Forwarded-Method', 'POST', 'X-Forwarded-Uri', '/a?b=c']
const ORIGINAL = ['X-Original-Method', 'POST', 'X-Original-URI', '/a?b=c']
const read = (rawHeaders: readonly string[], url = PATH, method = 'GET') =>
  readOriginal({ method, url, rawHeaders: ['Host', 'app.example', ...rawHeaders] }, PATH)
const told = { kind: 'told', method: 'POST', target: '/a?b=c', host: 'app.example' }

t.test('every way to describe the original request', async (t) => {
  t.strictSame(read(FORWARDED), { ...told, by: 'headers' })
  t.strictSame(read(ORIGINAL), { ...told, by: 'headers' })
  t.strictSame(read(ORIGINAL, `${PATH}?mode=redirect`), { ...told, by: 'headers' })
  t.strictSame(read([], `${PATH}/a?b=c`, 'POST'), { ...told, by: 'path' })
  t.match(read(['x-forwarded-method', 'GET', 'X-FORWARDED-URI', '/']), { method: 'GET', target: '/' })
  t.match(read([], `${PATH}/`), { target: '/', by: 'path' })
  t.match(read([], `${PATH}/auth/verify/x`), { target: '/auth/verify/x' })
})

t.test('no original request described', async (t) => {
  for (const url of [PATH, `${PATH}?`, `${PATH}?mode=redirect`])
    t.strictSame(read([], url), { kind: 'untold' })
  const others = ['X_Forwarded_Uri', '/a', 'X.Original.URI', '/a', 'X-Rewrite-URL', '/a']
  t.strictSame(read(others), { kind: 'untold' }, 'other spellings and other names are not looked at')
})

t.test('the whole URL of ingress-nginx', async (t) => {
  const whole = (url: string, ...more: string[]) =>
    read(['X-Original-Method', 'POST', 'X-Original-URL', url, ...more])
  t.strictSame(whole('https://shop.example:8443/a?b=c'), {
    ...told,
    host: 'shop.example:8443',
    by: 'headers',
  })
  t.match(whole('HTTP://shop.example//a%2Fb/../?x#y'), { target: '//a%2Fb/../?x#y', host: 'shop.example' })
  t.match(
    whole('https://shop.example/', 'X-Forwarded-Host', 'admin.example'),
    { host: 'shop.example' },
    'ingress-nginx passes X-Forwarded-Host of clients',
  )
  for (const url of [
    '/a',
    '',
    'https://shop.example',
    'https:///a',
    'ftp://shop.example/',
    'https://a@b/',
    'https://shop.example?x',
  ])
    t.match(whole(url), { kind: 'unclear' }, url)
  t.match(whole('https://shop.example/a', 'X-Original-URI', '/a'), { kind: 'unclear' })
  t.match(whole('https://shop.example/a', 'X-Original-URL', 'https://shop.example/a'), { kind: 'unclear' })
  t.match(whole('https://shop.example/a', ...FORWARDED), { kind: 'unclear' })
  t.match(whole('https://shop.example/a', 'X-Forwarded-Method', 'POST'), { kind: 'unclear' })
  t.match(read(['X-Original-URL', 'https://shop.example/a']), { kind: 'unclear' }, 'without the method')
  t.match(read(['X-Original-URL', 'https://shop.example/a'], `${PATH}/a`), { kind: 'unclear' })
})

t.test('the host is the client’s, as far as the proxy reports it', async (t) => {
  t.match(read([...FORWARDED, 'X-Forwarded-Host', 'shop.example:8443']), { host: 'shop.example:8443' })
  t.match(readOriginal({ method: 'GET', url: PATH, rawHeaders: ORIGINAL }, PATH), { host: undefined })
})

t.test('an original request described twice or partly is ambiguous', async (t) => {
  const unclear = (rawHeaders: readonly string[], url?: string) =>
    t.match(
      read(rawHeaders, url),
      { kind: 'unclear', detail: String },
      `${rawHeaders.join(' ')} ${url ?? ''}`,
    )
  for (const name of ['X-Forwarded-Uri', 'x-forwarded-uri', 'X-Forwarded-Method', 'Host']) {
    unclear([...FORWARDED, name, '/a?b=c'])
  }
  for (const name of ['X-Original-URI', 'X-Original-Method']) unclear([...ORIGINAL, name, 'GET'])
  unclear([...FORWARDED, 'X-Forwarded-Host', 'a.example', 'X-Forwarded-Host', 'a.example'])
  unclear([...FORWARDED, ...ORIGINAL])
  unclear([...FORWARDED, 'X-Original-Method', 'POST'])
  unclear(['X-Forwarded-Method', 'POST', 'X-Original-URI', '/a'])
  unclear(FORWARDED, `${PATH}/a?b=c`)
  unclear(ORIGINAL, `${PATH}/`)
  for (let at = 0; at < 4; at += 2) {
    unclear(FORWARDED.slice(at, at + 2))
    unclear(ORIGINAL.slice(at, at + 2))
  }
  for (const host of ['', 'a.example, b.example', 'a.example/b', 'a@b', 'a b']) {
    unclear([...FORWARDED, 'X-Forwarded-Host', host])
  }
  for (const method of ['', 'get', 'GET, POST', 'GET ', 'FOO', '*']) {
    unclear(['X-Forwarded-Method', method, 'X-Forwarded-Uri', '/'])
  }
  unclear([], '/auth/%76erify/a')
})

t.test('a peer matches by its address in any spelling and family', async (t) => {
  const isListed = createPeerCheck(['10.0.0.0/8', '192.168.1.7', 'fd00::/8', '::1'])
  for (const address of ['10.0.0.0', '10.255.255.255', '192.168.1.7', 'fd12::1', '::1', '::ffff:10.1.2.3']) {
    t.ok(isListed(address), address)
  }
  for (const address of ['11.0.0.0', '192.168.1.8', 'fe80::1%eth0', '::2', '::ffff:11.0.0.1', undefined]) {
    t.notOk(isListed(address), String(address))
  }
  t.notOk(createPeerCheck([])('127.0.0.1'), 'nobody, where nobody is')
  t.ok(createPeerCheck(['0.0.0.0/0'])('203.0.113.9'))
})
