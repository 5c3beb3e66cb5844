/** What advisories told of undici, tried on this gateway: its own client for upstreams has the same work to do. */
import t from 'tap'
import type { Test } from 'tap'
import { rawUpstream, until } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { attack, head, send, startRecorder, startWire } from '../support/wire.js'

const wire = await startWire(t)
const get = (target: string, ...lines: string[]) =>
  head(`GET ${target} HTTP/1.1`, 'Host: x', ...lines, 'Connection: close')

/** A gateway before an upstream that answers every whole head by these bytes. */
async function before(t: Test, answer: (asked: number) => string) {
  let asked = 0
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('\r\n\r\n')) socket.write(Buffer.from(answer(++asked), 'latin1'))
  })
  const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }]
  const { url } = await startGateway(t, { routes })
  const port = Number(new URL(url).port)
  return { ...upstream, ask: (target = '/', ...lines: string[]) => send(port, get(target, ...lines)) }
}

t.test(
  'CVE-2022-31150 · CVE-2022-35948 · CVE-2023-23936: CR LF in a path, a media type or a host became headers',
  async (t) => {
    const { requests } = wire.upstream
    const answers = await attack(t, wire, {
      path: get('/open/%0d%0aX-Evil:%201'),
      'media type': get('/open', 'Content-Type: text/plain\rX-Evil: 1'),
      host: head('GET /open HTTP/1.1', 'Host: x\rX-Evil: 1', 'Connection: close'),
      query: get('/open?q=%0d%0aX-Evil:%201'),
    })
    for (const name of ['path', 'media type', 'host']) t.strictSame(answers[name]?.statuses, [400], name)
    t.strictSame(answers['query']?.statuses, [200])
    t.strictSame(
      requests.map(({ target }) => target),
      ['/open?q=%0d%0aX-Evil:%201'],
      'a query stays as it came',
    )
    t.notMatch(requests[0]?.headers.map(([name]) => name).join(), /x-evil/i)
  },
)

t.test('CVE-2022-35949: a path with two slashes was another host', async (t) => {
  const elsewhere = await startRecorder(t)
  const { host } = new URL(elsewhere.url)
  for (const target of [`//${host}`, `//${host}/open`, `/open//${host}`]) {
    t.strictSame((await wire.send(get(target))).statuses, [400], target)
  }
  t.strictSame(elsewhere.requests, [])
})

t.test(
  'CVE-2022-31151 · CVE-2023-45143 · CVE-2024-24758 · CVE-2024-30260: credentials followed a redirect',
  async (t) => {
    const elsewhere = await startRecorder(t)
    const there = `${elsewhere.url}/open`
    for (const status of [301, 302, 303, 307, 308]) {
      const answer = `HTTP/1.1 ${status} Moved\r\nLocation: ${there}\r\nContent-Length: 0\r\n\r\n`
      const { ask } = await before(t, () => answer)
      const { text } = await ask('/', 'Cookie: a=1', 'Authorization: Basic eDp5')
      t.match(text, new RegExp(`^HTTP/1.1 ${status} `), 'the client’s business')
      t.match(text, `Location: ${there}`)
    }
    t.strictSame(elsewhere.requests, [])
  },
)

t.test('CVE-2026-1525, GHSA-2mjp-6q6p-2qxm: Content-Length in two spellings was sent twice', async (t) => {
  wire.upstream.requests.length = 0
  const answers = await attack(t, wire, {
    differing: head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 5', 'content-length: 50') + 'hello',
    equal: head('POST /open HTTP/1.1', 'Host: x', 'Content-Length: 5', 'CONTENT-LENGTH: 5') + 'hello',
    aliases:
      head(
        'POST /open HTTP/1.1',
        'Host: x',
        'Content-Length: 5',
        'Content_Length: 50',
        'Content.Length: 50',
        'Connection: close',
      ) + 'hello',
  })
  t.strictSame(answers['differing']?.statuses, [400])
  t.strictSame(answers['equal']?.statuses, [400])
  t.strictSame(answers['aliases']?.statuses, [200])
  const lengths = wire.upstream.requests.flatMap(({ headers }) =>
    headers.filter(([name]) => /length/i.test(name)),
  )
  t.strictSame(
    lengths.map(([, value]) => value),
    ['5'],
  )
})

t.test(
  'CVE-2026-22036, GHSA-g9mf-h72j-4rw9: a response with a thousand content codings was decoded as often',
  async (t) => {
    const coding = Array(500).fill('gzip').join(', ')
    const { ask } = await before(
      t,
      () => `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: 2\r\n\r\nok`,
    )
    const { text } = await ask()
    t.match(text, `Content-Encoding: ${coding}`)
    t.match(text, /ok$/, 'nothing is decoded')
  },
)

t.test(
  'CVE-2026-6733, GHSA-35p6-xmwp-9g52: data on an idle connection became the next response (Node’s own client: CVE-2026-48931)',
  async (t) => {
    const good = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'
    const { ask, sockets } = await before(t, () => good)
    for (let n = 0; n < 3; n++) {
      t.match((await ask('/first')).text, /good$/)
      const idle = sockets.at(-1)!
      if (!idle.destroyed) idle.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
      await until('the gateway has done with the connection', () => idle.closed)
      const { text } = await ask('/second')
      t.match(text, /good$/)
      t.notMatch(text, 'evil')
    }
  },
)

t.test('CVE-2026-9679, GHSA-p88m-4jfj-68fv: escapes in a cookie were decoded, CR and LF too', async (t) => {
  const cookies = ['a=%0d%0aX-Evil:%201; Path=/', 'b=%00%3b%3d', 'c="%0a"']
  const { ask } = await before(
    t,
    () => head('HTTP/1.1 200 OK', ...cookies.map((one) => `Set-Cookie: ${one}`), 'Content-Length: 2') + 'ok',
  )
  const { text } = await ask()
  const set = [...text.matchAll(/^set-cookie: (.*)\r$/gim)].map(([, value]) => value)
  t.strictSame(set, cookies)
})

t.test(
  'CVE-2026-11525, GHSA-g8m3-5g58-fq7m: SameSite was parsed and rewritten as something weaker',
  async (t) => {
    const cookie = 'a=1; SameSite=StrictLax; Path=/'
    const { ask } = await before(
      t,
      () => head('HTTP/1.1 200 OK', `Set-Cookie: ${cookie}`, 'Content-Length: 2') + 'ok',
    )
    t.match((await ask()).text, `Set-Cookie: ${cookie}\r\n`)
  },
)

t.test('CVE-2026-16728, GHSA-8xcm-r25x-g524: a retried half response had a wrong length', async (t) => {
  const upstream = await rawUpstream(t, (socket, seen) => {
    if (seen.endsWith('\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
  })
  const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }]
  const { url } = await startGateway(t, { routes })
  const { text } = await send(Number(new URL(url).port), get('/'))
  t.match(text, /\r\n\r\nhalf$/, 'cut where the upstream stopped')
  t.equal(upstream.sockets.length, 1, 'and asked once')
})
