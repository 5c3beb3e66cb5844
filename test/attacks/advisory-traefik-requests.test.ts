/** What advisories told of how Traefik reads targets and bodies, tried on this gateway. */
import t from 'tap'
import { SMUGGLED, attack, head, startRecorder, startWire } from '../support/wire.js'

const wire = await startWire(t)
const { upstream } = wire
const get = (target: string, ...lines: string[]) =>
  head(`GET ${target} HTTP/1.1`, 'Host: x', ...lines, 'Connection: close')
const all = (...targets: string[]) => Object.fromEntries(targets.map((target) => [target, get(target)]))

/** Each is refused, and none reaches the upstream. */
async function refused(t: Parameters<typeof attack>[0], ...targets: string[]) {
  upstream.requests.length = 0
  const answers = await attack(t, wire, all(...targets))
  for (const [target, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], target)
  t.strictSame(upstream.requests, [])
}

t.test('CVE-2025-32431, GHSA-6p68-w45g-48j7: /../ led from one router’s path into another’s', (t) =>
  refused(t, '/open/../guarded', '/open/x/../../guarded', '/open/./../guarded'),
)

t.test('CVE-2025-47952, GHSA-vrch-868g-9jx5: the same with encoded dots', (t) =>
  refused(t, '/open/%2e%2e/guarded', '/open/%2E%2E/guarded', '/open/.%2e/guarded'),
)

t.test(
  'CVE-2025-66490, GHSA-gm3x-23wp-hc2c: encoded slashes, backslashes, NULs, ; ? # hid a path from its rule',
  (t) =>
    refused(t, '/guarded%2Fx', '/guarded%5Cx', '/guarded%00', '/guarded%3Bx', '/guarded%3Fx', '/guarded%23x'),
)

t.test(
  'CVE-2023-47106, GHSA-fvhj-4qfh-q2hm: a fragment was encoded and passed on as a part of the path',
  (t) => refused(t, '/open#/../guarded', '/open/x#y', '/#', '/open?x#y'),
)

t.test(
  'CVE-2026-40912, GHSA-6jwx-7vp4-9847 · CVE-2026-65600, GHSA-cxjq-mrr5-89rv: removing a prefix from an encoded path left dot segments',
  (t) => refused(t, '/open%2e/guarded', '/open/%2e/guarded', '/open%2e%2e/guarded', '/open%2f../guarded'),
)

t.test(
  'CVE-2026-48020, GHSA-xf64-8mw2-4gr2 · CVE-2026-67309, GHSA-8rxv-jg7p-wvg3: a prefix matched within a segment, so that /open.. became /..',
  async (t) => {
    upstream.requests.length = 0
    const answers = await attack(
      t,
      wire,
      all('/open../guarded', '/open..', '/openguarded', '/open.', '/open...'),
    )
    // To some servers the others are /open, so they are refused altogether.
    for (const [target, { statuses }] of Object.entries(answers))
      t.strictSame(statuses, [target === '/openguarded' ? 401 : 400], `${target} is not /open`)
    t.strictSame(upstream.requests, [])
  },
)

t.test(
  'CVE-2026-88009, GHSA-f52w-8j3h-j724: a target without a slash was checked as / but passed on unchanged',
  async (t) => {
    const elsewhere = await startRecorder(t)
    const { host } = new URL(elsewhere.url)
    await refused(
      t,
      `http:http://${host}/guarded`,
      `http:${host}/guarded`,
      'x:/guarded',
      'guarded',
      `http:/${host}`,
      'http:guarded',
    )
    t.strictSame(elsewhere.requests, [])
  },
)

t.test(
  'CVE-2026-71324, GHSA-3ccp-42pg-hgv6: CONNECT was forwarded on a shared connection, and its body became the next response',
  async (t) => {
    upstream.requests.length = 0
    const elsewhere = await startRecorder(t)
    const { host } = new URL(elsewhere.url)
    for (const target of [host, '/open', 'x:443', '*']) {
      const bytes =
        head(`CONNECT ${target} HTTP/1.1`, `Host: ${host}`, `Content-Length: ${SMUGGLED.length}`) + SMUGGLED
      const { text } = await wire.send(bytes)
      t.notMatch(text, /^HTTP\/1\.1 2/, target)
    }
    const { after } = await attack(t, wire, { after: get('/open/after') })
    t.match(after?.text, /ok$/)
    t.strictSame(
      upstream.requests.map(({ target }) => target),
      ['/open/after'],
    )
    t.strictSame(elsewhere.requests, [])
  },
)

t.test(
  'CVE-2024-28869, GHSA-4vwx-54mw-vqfw · CVE-2023-47633, GHSA-6fwg-jrfw-ff7p: a GET that announced a body and sent none hung forever',
  async (t) => {
    upstream.requests.length = 0
    const answers = await attack(t, wire, {
      '5 bytes': head('GET /open HTTP/1.1', 'Host: x', 'Content-Length: 5'),
      'very many': head('GET /open HTTP/1.1', 'Host: x', 'Content-Length: 99999999999'),
      'to a refused path': head('GET /guarded HTTP/1.1', 'Host: x', 'Content-Length: 5'),
      'to our own': head('GET /healthz HTTP/1.1', 'Host: x', 'Content-Length: 5'),
    })
    t.strictSame(answers['5 bytes']?.statuses, [408])
    t.strictSame(answers['very many']?.statuses, [413])
    t.strictSame(answers['to a refused path']?.statuses, [401])
    t.match(answers['to our own']?.statuses[0], /^(200|408)$/)
    t.strictSame(upstream.requests, [])
  },
)

t.test(
  'GHSA-5423-jcjm-2gpv (Go’s CVE-2025-22871): a chunk size that ended in LF alone was accepted',
  async (t) => {
    for (const body of ['5\nhello\r\n0\r\n\r\n', '5;x\nhello\r\n0\r\n\r\n', `5;\n${SMUGGLED}\r\n0\r\n\r\n`]) {
      const bytes = head('POST /open HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked') + body
      const answers = await attack(t, wire, { bytes })
      t.strictSame(answers['bytes']?.statuses, [400], JSON.stringify(body))
    }
    t.strictSame(upstream.requests, [])
  },
)
