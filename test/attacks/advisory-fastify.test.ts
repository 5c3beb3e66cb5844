/** What advisories told of Fastify, tried on this gateway: it stands on it. */
import t from 'tap'
import { USERS } from '../support/gateway-process.js'
import { LOW_LIMITS, attack, head, startWire, valuesOf } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const login = (type: string, body: string, ...lines: string[]) =>
  head(
    'POST /auth/login HTTP/1.1',
    'Host: x',
    ...(type === '' ? [] : [`Content-Type:${type}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...lines,
    'Connection: close',
  ) + body
const good = JSON.stringify({ username: 'ada', password: USERS.ada })
/** What the schema refuses. */
const BAD = [
  '{"username":{"$gt":""},"password":["x"]}',
  '{"username":"ada"}',
  '["ada","x"]',
  '"ada"',
  'null',
  '1',
  '{}',
]

/** Media types that were parsed by one rule and validated by another, or by none. */
async function isValidated(t: Parameters<typeof attack>[0], types: string[]) {
  for (const type of types) {
    for (const body of BAD) {
      const { statuses } = await wire.send(login(type, body))
      t.match(statuses.join(), /^(400|415)$/, `${JSON.stringify(type)} ${body}`)
    }
    const { statuses } = await wire.send(login(type, good))
    t.match(statuses.join(), /^(200|400|415)$/, `${JSON.stringify(type)}: read as JSON, or not at all`)
  }
}

t.test(
  'CVE-2025-32442, GHSA-mg2h-6x62-wpwc: other letter case or a blank before the semicolon skipped validation',
  (t) =>
    isValidated(t, [
      ' application/JSON',
      ' APPLICATION/json',
      ' application/json ;charset=utf-8',
      ' application/json ; charset=utf-8',
      ' application/json;',
    ]),
)

t.test('CVE-2026-25223, GHSA-jx2c-rxcm-jvmq: a tab in the media type skipped validation', (t) =>
  isValidated(t, [
    ' application/json\ta',
    ' application/json\t',
    ' application/json\t;x',
    ' application/json\t, text/plain',
  ]),
)

t.test('CVE-2026-33806, GHSA-247c-9743-5963: a leading blank skipped validation', (t) =>
  isValidated(t, ['  application/json', '\tapplication/json', ' \t application/json', 'application/json']),
)

t.test('CVE-2026-3419, GHSA-573f-x89g-hqp9: words after the media type were accepted', (t) =>
  isValidated(t, [
    ' application/json garbage',
    ' application/json garbage; charset=utf-8',
    ' application/json/x',
    ' application/json=',
  ]),
)

t.test('GHSA-w2qp-rph6-63g4: a value was coerced for validation, but passed on as sent', (t) =>
  isValidated(t, [' application/json']),
)

t.test(
  'CVE-2022-41919, GHSA-3fjj-p79j-c9hh: a form’s media type was parsed as JSON, which allowed CSRF',
  async (t) => {
    const cookies = JSON.stringify({ username: 'ada', password: USERS.ada, cookies: true })
    for (const type of [
      ' application/x-www-form-urlencoded; charset=application/json',
      ' text/plain; application/json',
      ' multipart/form-data; application/json',
      ' text/plain;json',
      ' text/application/json',
      '',
    ]) {
      const { statuses, text } = await wire.send(login(type, cookies, 'Origin: https://evil.example'))
      t.match(statuses.join(), /^(400|403|415)$/, type)
      t.notMatch(text, /^set-cookie/im)
    }
  },
)

t.test('CVE-2022-39288, GHSA-455w-c45v-86rg: an invalid media type ended the process', async (t) => {
  for (const type of [
    ' ',
    ' ;',
    ' /',
    ' application/json;;;',
    ' __proto__',
    ' constructor',
    ' toString',
    ' \xff',
    ' "',
    ' a;b="',
    ` ${'a/'.repeat(2000)}`,
  ]) {
    const { statuses } = await wire.send(login(type, good))
    t.match(statuses.join(), /^(400|415|200)$/, JSON.stringify(type.slice(0, 20)))
    const lines = ['Host: x', `Content-Type:${type}`, 'Content-Length: 2', 'Connection: close']
    await attack(t, wire, { forwarded: head('POST /open HTTP/1.1', ...lines) + 'hi' })
    t.equal(upstream.requests.at(-1)?.body, 'hi', 'an upstream gets it as it is')
  }
})

t.test('CVE-2018-3711: JSON of any size was read into memory', async (t) => {
  const { statuses } = await wire.send(
    login(' application/json', JSON.stringify({ username: 'x'.repeat(100_000), password: 'x' })),
  )
  t.strictSame(statuses, [413])
})

t.test('CVE-2026-3635, GHSA-444r-cwp2-x5xf: protocol and host of unlisted peers were trusted', async (t) => {
  const listed = await startWire(t, {
    listen: { host: '127.0.0.1', port: 0, trustProxy: ['10.0.0.1', '192.0.2.0/24'] },
  })
  const lies = ['X-Forwarded-Proto: https', 'X-Forwarded-Host: evil.example', 'X-Forwarded-For: 6.6.6.6']
  await attack(t, listed, { lies: head('GET /open HTTP/1.1', 'Host: x', ...lies, 'Connection: close') })
  const received = listed.upstream.requests.at(-1)!
  t.strictSame(valuesOf(received, 'X-Forwarded-Proto'), ['http'])
  t.strictSame(valuesOf(received, 'X-Forwarded-Host'), ['x'])
  t.strictSame(valuesOf(received, 'X-Forwarded-For'), ['127.0.0.1'])
})

t.test(
  'CVE-2026-16732, GHSA-3m5p-2c4r-xxw2: the same if proxies were counted instead of listed',
  async (t) => {
    for (const trustProxy of [['1'], ['2'], [1]]) {
      const listen = { host: '127.0.0.1', port: 0, trustProxy }
      await t.rejects(startWire(t, { listen, limits: LOW_LIMITS }), /trustProxy/, 'a number is no network')
    }
  },
)
