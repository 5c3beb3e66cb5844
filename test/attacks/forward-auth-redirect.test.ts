/** A link to our own site that, through the login, ends on another one. */
import t from 'tap'
import { home, startGateway } from '../support/gateway-process.js'
import { TARGETS } from '../support/redirect-targets.js'
import { head, send } from '../support/wire.js'

const directory = await home(t)
const OURS = 'https://app.example'
const gatewayWith = async (
  page: string,
  targetAllow: readonly string[] = [],
  origins: readonly string[] = [],
) => {
  const { url } = await startGateway(
    t,
    {
      listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1'] },
      login: { users: `${directory}/users.htpasswd`, page, origins },
      routes: [{ path: '/', targetAllow }],
    },
    directory,
  )
  return Number(new URL(url).port)
}

const LIES = [
  'X-Forwarded-Proto: javascript',
  'X-Forwarded-Port: 1',
  'X-Forwarded-Prefix: //evil.example',
  'X-Auth-Request-Redirect: https://evil.example/',
  'X-Rewrite-URL: //evil.example',
  'Referer: https://evil.example/',
  'Origin: https://evil.example',
]
const HOSTS = ['X-Forwarded-Host: evil.example', 'Host: evil.example']

/** Where a browser that asks for the target is sent; undefined where it isn't. */
async function sentTo(port: number, target: string, host: string, query = '?mode=redirect') {
  const lines = [
    host,
    ...(host.startsWith('Host') ? [] : ['Host: x']),
    'Connection: close',
    'Accept: text/html',
  ]
  const told = ['X-Forwarded-Method: GET', `X-Forwarded-Uri: ${target}`]
  const bytes = head(`GET /auth/verify${query} HTTP/1.1`, ...lines, ...told, ...LIES)
  const { text, statuses } = await send(port, bytes)
  const [top = ''] = text.split('\r\n\r\n')
  const locations = [...top.matchAll(/^location: (.*)$/gim)].map(([, value]) => value!)
  return { status: statuses[0], locations, text }
}

t.test('`next` is a path of this origin, or absent', async (t) => {
  const port = await gatewayWith('/login')
  let sent = 0
  for (const target of TARGETS) {
    for (const host of HOSTS) {
      const { status, locations, text } = await sentTo(port, target, host)
      const what = `${target} ${host}`
      t.notMatch(text, /^set-cookie/im, what)
      if (status === 400) {
        t.strictSame(locations, [], what)
        continue
      }
      sent += 1
      t.equal(status, 302, what)
      t.match(locations, [/^\/login\?next=%2F(?!%2F|%5C|[/\\])[\w.~!'()*%-]*$/i], what)
      const url = new URL(locations[0]!, OURS)
      t.strictSame([...url.searchParams.keys()], ['next'], what)
      const next = url.searchParams.get('next')!
      t.equal(new URL(next, OURS).origin, OURS, what)
      t.equal(next, target, 'what was asked for, and nothing else')
    }
  }
  t.ok(sent >= 10, 'some were sent')
})

t.test('a route that allows // redirects without `next`', async (t) => {
  const port = await gatewayWith('/login', ['double-slash', 'encoded-slash', 'semicolon'])
  for (const target of ['/a//evil.example', '/a/%2fevil.example', '/a;b//evil.example']) {
    const { status, locations } = await sentTo(port, target, HOSTS[0]!)
    t.strictSame([status, locations], [302, ['/login']], target)
  }
  for (const target of ['//evil.example', '/%2fevil.example', '/;/evil.example', '/%5cevil.example']) {
    const { locations } = await sentTo(port, target, HOSTS[0]!)
    t.ok(['', '/login'].includes(locations.join()), target)
  }
})

t.test('the login page comes from the configuration, for any request', async (t) => {
  const port = await gatewayWith('https://login.example/in')
  for (const host of HOSTS) {
    const { locations } = await sentTo(port, '/x', host)
    t.strictSame(locations, ['https://login.example/in?next=%2Fx'])
  }
})

t.test('the client’s query can’t set the redirect or request one', async (t) => {
  const port = await gatewayWith('/login')
  for (const query of ['?mode=redirect&next=//evil.example', '?next=//evil.example&mode=redirect#x']) {
    const { locations } = await sentTo(port, '/x', HOSTS[0]!, query)
    t.match([...locations, '/login?next=%2Fx'][0], '/login?next=%2Fx', query)
    t.notMatch(locations.join(), /evil/, query)
  }
  for (const query of [
    '?mode=redirect&mode=redirect',
    '?mode[]=redirect',
    '?Mode=redirect',
    '?mode=redirect2',
    '',
  ]) {
    const { status, locations } = await sentTo(port, '/x', HOSTS[0]!, query)
    t.strictSame([status, locations], [401, []], query)
  }
})

t.test('the way back names an origin only if that origin is listed', async (t) => {
  const page = 'https://login.example/in'
  const port = await gatewayWith(page, ['double-slash'], ['https://app.example', 'https://wiki.example:8443'])
  const nextAt = async (host: string, proto = 'https', target = '/x?a') => {
    const described = ['X-Forwarded-Method: GET', `X-Forwarded-Uri: ${target}`, `X-Forwarded-Proto: ${proto}`]
    const forwarded = [`X-Forwarded-Host: ${host}`, 'Host: x', 'Accept: text/html', 'Connection: close']
    const { text } = await send(
      port,
      head('GET /auth/verify?mode=redirect HTTP/1.1', ...forwarded, ...described),
    )
    const location = /^location: (.*)$/im.exec(text)?.[1]
    return location && new URL(location).searchParams.get('next')
  }
  t.equal(await nextAt('app.example'), 'https://app.example/x?a')
  t.equal(await nextAt('APP.example'), 'https://app.example/x?a')
  t.equal(await nextAt('wiki.example:8443'), 'https://wiki.example:8443/x?a')
  for (const host of [
    'evil.example',
    'app.example.evil.example',
    'evilapp.example',
    'app.example:8443',
    'wiki.example',
    'app.example.',
  ])
    t.equal(await nextAt(host), '/x?a', host)
  t.equal(await nextAt('app.example', 'http'), '/x?a', 'another scheme')
  t.notMatch(await nextAt('app.example@evil.example'), /example/)
  t.notMatch(await nextAt('app.example', 'https', '//evil.example'), /evil/)
  t.notMatch(await nextAt('app.example', 'https', '@evil.example'), /evil/)
})
