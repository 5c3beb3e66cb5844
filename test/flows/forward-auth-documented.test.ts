/**
 * The check requests of Traefik and Envoy as their documentation tells them, sent byte for byte, and the answers
 * judged by its rules.
 */
import t from 'tap'
import { head, send } from '../support/wire.js'
import { home, logIn, logInByCookies, startGateway } from '../support/gateway-process.js'

const directory = await home(t)
const { url } = await startGateway(
  t,
  {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['127.0.0.1', '10.0.0.0/8'] },
    login: { users: `${directory}/users.htpasswd`, page: 'https://app.example/login' },
    // Proxies keep their connections: the gateway closes them once they are idle.
    limits: { idle: '200ms' },
    routes: [
      { path: '/public', auth: 'none' },
      { path: '/news', methods: ['GET'], auth: 'none' },
      { path: '/admin', scope: ['admin'] },
      { path: '/private' },
    ],
  },
  directory,
)
const { host, port } = new URL(url)
const { access_token: token, session_id } = await logIn(url)
const bearer = `Bearer ${token}`

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What comes to several requests, one after the other on one connection. */
async function replay(...requests: readonly string[]): Promise<Answered[]> {
  const { text } = await send(Number(port), requests.join(''))
  return text
    .split(/(?=HTTP\/1\.1 \d{3} )/)
    .filter((one) => one !== '')
    .map((one) => {
      const [top = '', body = ''] = one.split('\r\n\r\n')
      const [line = '', ...lines] = top.split('\r\n')
      const headers = lines.map((each) => each.split(/: (.*)/s, 2) as [string, string])
      return {
        status: Number(line.split(' ')[1]),
        headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
        body,
      }
    })
}

/**
 * https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/forwardauth/: the five X-Forwarded
 * headers, and those of the request that `authRequestHeaders` names. As Go's client writes them: sorted by name.
 */
function traefik(method: string, uri: string, more: Readonly<Record<string, string>> = {}): string {
  const headers = {
    'X-Forwarded-For': '203.0.113.9',
    'X-Forwarded-Host': 'app.example',
    'X-Forwarded-Method': method,
    'X-Forwarded-Port': '443',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Server': 'a1b2c3',
    'X-Forwarded-Uri': uri,
    'X-Real-Ip': '203.0.113.9',
    'Accept-Encoding': 'gzip',
    ...more,
  }
  const lines = Object.entries(headers).map((pair) => pair.join(': '))
  const agent = 'User-Agent: Go-http-client/1.1'
  return head('GET /auth/verify?mode=redirect HTTP/1.1', `Host: ${host}`, agent, ...lines.toSorted())
}

t.test('Traefik: 2xx grants access, and authResponseHeaders are copied from the response', async (t) => {
  const answers = await replay(
    traefik('POST', '/private/a?b=%2F', { Authorization: bearer }),
    traefik('GET', '/public'),
    traefik('GET', '/private', { Cookie: `a=b; __Host-access=${token}`, Accept: 'text/html' }),
  )
  t.strictSame(
    answers.map(({ status, headers, body }) => [
      status,
      headers['x-forwarded-user'],
      headers['set-cookie'],
      body,
    ]),
    [
      [200, 'ada', undefined, ''],
      [200, undefined, undefined, ''],
      [200, 'ada', undefined, ''],
    ],
  )
  t.equal(answers[0]!.headers['x-auth-request-session'], session_id)
})

t.test('Traefik: any other response goes to the client with its status, headers and body', async (t) => {
  const answers = await replay(
    traefik('GET', '/private'),
    traefik('GET', '/admin', { Authorization: bearer }),
    traefik('POST', '/news'),
    traefik('GET', '/private/a?b', { Accept: 'text/html' }),
    traefik('GET', '/private/../public'),
  )
  t.match(answers, [
    {
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="portcullis"' },
      body: /"credentials_missing"/,
    },
    { status: 403, headers: { 'www-authenticate': /insufficient_scope/ }, body: /"insufficient_scope"/ },
    { status: 404, body: /"not_found"/ },
    { status: 302, headers: { location: 'https://app.example/login?next=%2Fprivate%2Fa%3Fb' }, body: '' },
    { status: 400, body: /"target_refused"/ },
  ])
})

t.test('Traefik: the client’s host is X-Forwarded-Host', async (t) => {
  const cookies = await logInByCookies(url)
  const by = (origin: string) => ({ Cookie: `__Host-access=${cookies['__Host-access']}`, Origin: origin })
  const answers = await replay(
    traefik('POST', '/private', by('https://app.example')),
    traefik('POST', '/private', by(`http://${host}`)),
  )
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 403],
  )
})

/**
 * https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/ext_authz/v3/ext_authz.proto: the
 * client's method, its path behind `path_prefix`, `Content-Length: 0`, `Host`, `Authorization`, and what
 * `allowed_headers` names. Names in small letters, and the headers that its HTTP client adds.
 */
function envoy(method: string, path: string, more: Readonly<Record<string, string>> = {}): string {
  const headers = {
    host: 'app.example',
    ...more,
    'content-length': '0',
    'x-envoy-internal': 'true',
    'x-forwarded-for': '10.0.0.3',
    'x-envoy-expected-rq-timeout-ms': '250',
  }
  const lines = Object.entries(headers).map((pair) => pair.join(': '))
  return head(`${method} /auth/verify${path} HTTP/1.1`, ...lines)
}

t.test(
  'Envoy: only 200 grants access, and allowed_upstream_headers are copied from the response',
  async (t) => {
    const answers = await replay(
      envoy('GET', '/private/a?b=%2F', { authorization: bearer }),
      envoy('PATCH', '/private', { authorization: bearer }),
      envoy('PROPFIND', '/private', { authorization: bearer }),
      envoy('OPTIONS', '/public'),
      envoy('GET', '/news?mode=redirect'),
    )
    t.strictSame(
      answers.map(({ status, headers, body }) => [status, headers['x-forwarded-user'], body]),
      [
        [200, 'ada', ''],
        [200, 'ada', ''],
        [200, 'ada', ''],
        [200, undefined, ''],
        [200, undefined, ''],
      ],
    )
  },
)

t.test(
  'Envoy: any other response goes to the client; method and path are those of the original request',
  async (t) => {
    const answers = await replay(
      envoy('GET', '/'),
      envoy('GET', '/private?mode=redirect', { accept: 'text/html' }),
      envoy('GET', '/admin', { authorization: bearer }),
      envoy('DELETE', '/news'),
      envoy('POST', '/auth/login'),
      envoy('GET', '/public/%2e%2e/private'),
    )
    t.match(answers, [
      { status: 404, body: /"not_found"/ },
      {
        status: 401,
        headers: { 'www-authenticate': 'Bearer realm="portcullis"' },
        body: /"credentials_missing"/,
      },
      { status: 403, body: /"insufficient_scope"/ },
      { status: 404, body: /"not_found"/ },
      { status: 404, body: /"not_found"/ },
    ])
    // The target law meets the path of the check itself, and closes the connection.
    t.match(answers[5], { status: 400, headers: { connection: 'close' }, body: /"target_refused"/ })
  },
)

t.test('Envoy: the client’s host is Host', async (t) => {
  const cookie = `__Host-access=${(await logInByCookies(url))['__Host-access']}`
  const answers = await replay(
    envoy('POST', '/private', { cookie, origin: 'https://app.example' }),
    envoy('POST', '/private', { cookie, origin: 'https://evil.example' }),
    envoy('GET', '/private', {
      cookie,
      origin: 'https://evil.example',
      'sec-websocket-key': 'dGhlIHNhbXBsZQ==',
    }),
  )
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 403, 403],
  )
})
