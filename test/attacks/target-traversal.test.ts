/** Ways out of an open path into a guarded one, in every spelling that some server resolves. */
import t from 'tap'
import { logIn } from '../support/gateway-process.js'
import { attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)

const SLASHES = [
  '/',
  '\\',
  '//',
  '%2f',
  '%2F',
  '%5c',
  '%5C',
  '%252f',
  '%c0%af',
  '%e0%80%af',
  '%f0%80%80%af',
  '%u2215',
]
const DOTS = [
  '..',
  '%2e%2e',
  '.%2e',
  '%2E.',
  '%252e%252e',
  '%%32%65%%32%65',
  '..;',
  '..;a=b',
  '%c0%ae%c0%ae',
  '%e0%80%ae%e0%80%ae',
  '%u002e%u002e',
  '..%00',
  '%2e%2e%3b',
  '..%0a',
  '..%09',
  '..%20/..',
]
const TARGETS = SLASHES.flatMap((slash) =>
  DOTS.flatMap((dots) => [
    `/open/${dots}${slash}guarded`,
    `/open${slash}${dots}/guarded`,
    `/open/x${slash}${dots}${slash}${dots}${slash}guarded`,
  ]),
)
const OTHERS = [
  '/open/..',
  '/open/.',
  '/open/./../guarded',
  '/open/../guarded',
  '/open/%2e/x',
  '/open/x/%2e%2e',
  '/open/..?x=1',
  '/open/../open/../guarded',
  '/open/%2e%2e%2fguarded',
  '/open%2f..%2fguarded',
  '/open%2fx',
  '/./guarded',
  '/;/guarded',
  '/open;/../guarded',
  '/open;a=b/guarded',
  '/open/;x/..;/guarded',
  '/open//../guarded',
  '//guarded',
  '/open/\\..\\guarded',
  '/open\\..\\guarded',
  '/open/a\\..\\..\\guarded',
  '\\guarded',
  '/\\guarded',
  '/open/%00/../guarded',
  '/open/x%00.png/../../guarded',
  '/open#/../guarded',
  '/open/%23/../guarded',
  '/open/%3f/../guarded',
  '/open/%3F/x',
  '/open/%0d%0aX-Injected:%201',
  '/open/%0a',
  '/open/%c2%85',
  '/open/%',
  '/open/%2',
  '/open/%g1',
  '/open/%ff%fe',
  '/open/%ed%a0%80',
  '/open/%f4%90%80%80',
]
const get = (target: string, ...lines: string[]) =>
  head(`GET ${target} HTTP/1.1`, 'Host: x', ...lines, 'Connection: close')

t.test('each spelling is refused, and the upstream gets none', async (t) => {
  const targets = [...TARGETS, ...OTHERS]
  const answers = await attack(t, wire, Object.fromEntries(targets.map((target) => [target, get(target)])))
  const passed = Object.entries(answers).filter(([, { statuses }]) => statuses.join() !== '400')
  t.strictSame(
    passed.map(([target, { statuses }]) => `${target} ${statuses.join()}`),
    [],
  )
  t.strictSame(wire.upstream.requests, [])
  t.ok(targets.length > 590, `${targets.length} targets`)
})

t.test('a token for one route opens no other through its path', async (t) => {
  const { access_token: token } = await logIn(wire.url)
  const targets = ['/open/../guarded', '/mine/%2e%2e/guarded', '/mine/..;/guarded', '/mine\\..\\guarded']
  const authorization = `Authorization: Bearer ${token}`
  const answers = await attack(
    t,
    wire,
    Object.fromEntries(targets.map((target) => [target, get(target, authorization)])),
  )
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], name)
})

t.test('an open path in other letter case is refused; unreserved escapes equal their letters', async (t) => {
  const other = await attack(t, wire, {
    '/OPEN': get('/OPEN/x'),
    '/open.': get('/open.'),
    '/open%20': get('/open%20'),
  })
  for (const [name, { statuses }] of Object.entries(other)) t.strictSame(statuses, [400], name)
  const answers = await attack(t, wire, {
    '/openx': get('/openx'),
    '/open~': get('/open~'),
    '/guarded': get('/guarded'),
    '/%67uarded': get('/%67uarded'),
    '/%47UARDED': get('/%47UARDED'),
    '/guarded/': get('/guarded/'),
    '/guarded?/open': get('/guarded?/open'),
    '/guarded?x=/open/../': get('/guarded?x=/open/../'),
  })
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [401], name)
  const { open } = await attack(t, wire, { open: get('/%6fpe%6e/x?q=/../;%00\\%2e//') })
  t.strictSame(open?.statuses, [200])
  t.equal(wire.upstream.requests.at(-1)?.target, '/%6fpe%6e/x?q=/../;%00\\%2e//', 'byte for byte')
})

t.test(
  'characters that only look like a slash or a dot stay in their segment and are sent unchanged',
  async (t) => {
    const { requests } = wire.upstream
    requests.length = 0
    const lookalikes = ['%ef%bc%8f', '%e2%88%95', '%e2%81%84', '%ef%bc%bc', '%ef%bc%8e%ef%bc%8e', '%e2%80%a5']
    const targets = lookalikes.map((text) => `/open/x${text}guarded`)
    const answers = await attack(t, wire, Object.fromEntries(targets.map((target) => [target, get(target)])))
    for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [200], name)
    t.strictSame(requests.map(({ target }) => target).toSorted(), targets.toSorted())
    const outside = await attack(t, wire, { outside: get('/open%ef%bc%8fx') })
    t.strictSame(outside['outside']?.statuses, [401], 'and ends no segment')
  },
)

t.test('no such path reaches or shadows our own routes', async (t) => {
  wire.upstream.requests.length = 0
  const { access_token: token } = await logIn(wire.url)
  const targets = [
    '/auth/../mine',
    '/auth%2fme',
    '/%61uth/x',
    '/auth/none',
    '/auth/me/../../mine',
    '/open/../auth/me',
    '/auth;/me',
    '/auth//me',
    '/healthz/..',
    '/%68ealthz/x',
  ]
  await attack(
    t,
    wire,
    Object.fromEntries(targets.map((target) => [target, get(target, `Authorization: Bearer ${token}`)])),
  )
  const seen = wire.upstream.requests.map(({ target }) => target)
  t.strictSame(seen, ['/%68ealthz/x'], 'beneath /auth nothing is forwarded; beneath /healthz all but itself')
})
