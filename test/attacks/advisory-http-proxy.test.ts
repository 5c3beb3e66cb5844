/** What advisories told of http-proxy, http-proxy-middleware, and what was built on them, tried on this gateway. */
import t from 'tap'
import { SMUGGLED, attack, head, startRecorder, startWire } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const chunked = (body: string) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`

t.test(
  'CVE-2026-29057, GHSA-ggv3-7p47-pfv8: DELETE and OPTIONS lost their chunked framing, but not their body',
  async (t) => {
    for (const method of ['DELETE', 'OPTIONS', 'GET', 'HEAD']) {
      const lines = ['Host: x', 'Transfer-Encoding: chunked', 'Connection: close']
      const bytes = head(`${method} /open HTTP/1.1`, ...lines) + chunked(SMUGGLED)
      const answers = await attack(t, wire, { [method]: bytes })
      t.strictSame(answers[method]?.statuses, [200], method)
      t.match(upstream.requests.at(-1), { method, body: SMUGGLED })
    }
  },
)

t.test('GHSA-6x33-pw7p-hmpq: a body over 1 kB with Expect set headers too late and crashed', async (t) => {
  const body = 'x'.repeat(10_025)
  const lines = ['Host: x', `Content-Length: ${body.length}`, 'Expect: 100-continue', 'Connection: close']
  const { expected } = await attack(t, wire, { expected: head('POST /open HTTP/1.1', ...lines) + body })
  t.strictSame(expected?.statuses.at(-1), 200)
  t.equal(upstream.requests.at(-1)!.body, body)
  const { after } = await attack(t, wire, {
    after: head('GET /open HTTP/1.1', 'Host: x', 'Connection: close'),
  })
  t.strictSame(after?.statuses, [200], 'and it serves on')
})

t.test(
  'CVE-2024-21536, GHSA-c7qv-q95q-8v27: paths that the pattern library threw on ended the process',
  async (t) => {
    const targets = [
      '/open/{a,b}',
      '/open/[',
      '/open/!(x)',
      '/open/**/*',
      '/open/(((',
      '/open/' + '{'.repeat(3000),
      '/open/@(',
    ]
    const payloads = targets.map((target) => [
      target,
      head(`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close'),
    ])
    const answers = await attack(t, wire, Object.fromEntries(payloads))
    for (const [target, { statuses }] of Object.entries(answers)) {
      t.match(statuses.join(), /^(200|400)$/, target.slice(0, 20))
    }
    const { after } = await attack(t, wire, {
      after: head('GET /open HTTP/1.1', 'Host: x', 'Connection: close'),
    })
    t.strictSame(after?.statuses, [200], 'and it serves on')
  },
)

t.test(
  'CVE-2025-32996 and CVE-2025-32997: a body was written twice, or without having been read',
  async (t) => {
    for (const [type, body] of [
      ['application/json', '{"a":1'],
      ['application/json', '{"a":1}'],
      ['application/x-www-form-urlencoded', 'a=1&b=%'],
      [
        'multipart/form-data; boundary=x',
        '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
      ],
    ] as const) {
      const lines = [
        'Host: x',
        `Content-Type: ${type}`,
        `Content-Length: ${body.length}`,
        'Connection: close',
      ]
      await attack(t, wire, { [type]: head('POST /open HTTP/1.1', ...lines) + body })
      t.equal(upstream.requests.at(-1)!.body, body, `${type}: once, byte for byte, parsed by nobody`)
    }
  },
)

t.test(
  'CVE-2026-55603, GHSA-gcq2-9pq2-cxqm: fields of a rewritten multipart body injected parts',
  async (t) => {
    const body = 'a=1%0D%0A--x%0D%0AContent-Disposition:%20form-data;%20name=%22role%22%0D%0A%0D%0Aadmin'
    const lines = [
      'Host: x',
      'Content-Type: multipart/form-data; boundary=x',
      `Content-Length: ${body.length}`,
    ]
    await attack(t, wire, { body: head('POST /open HTTP/1.1', ...lines, 'Connection: close') + body })
    t.equal(upstream.requests.at(-1)!.body, body, 'no body is made anew')
  },
)

t.test(
  'CVE-2026-55602, GHSA-64mm-vxmg-q3vj: a Host that contained a configured one chose the upstream',
  async (t) => {
    const other = await startRecorder(t)
    const { host } = new URL(other.url)
    const two = await startWire(t, {
      routes: [
        { path: '/api', upstream: other.url },
        { path: '/', upstream: upstream.url, auth: 'none' },
      ],
    })
    for (const name of [`evil${host}`, `${host}.evil`, host, 'localhost:3000', 'api']) {
      const { statuses } = await two.send(head('GET /open HTTP/1.1', `Host: ${name}`, 'Connection: close'))
      t.match(statuses.join(), /^(200|400)$/, name)
    }
    t.strictSame(other.requests, [], 'the path alone chooses')
  },
)

t.test('fastify/fast-proxy issue 42: a path with two slashes was read as a host', async (t) => {
  const other = await startRecorder(t)
  const { host } = new URL(other.url)
  for (const target of [
    `//${host}/x`,
    `///${host}/x`,
    `/\\${host}/x`,
    `http://${host}/x`,
    `/open//${host}/x`,
  ]) {
    const { statuses } = await wire.send(head(`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close'))
    t.strictSame(statuses, [400], target)
  }
  t.strictSame(other.requests, [])
})
