/** A method in a header: the gate lets a GET through, and the server behind it deletes. */
import t from 'tap'
import { attack, head, startRecorder, startWire, valuesOf } from '../support/wire.js'

const upstream = await startRecorder(t)
const wire = {
  ...(await startWire(t, {
    routes: [
      { path: '/posts', methods: ['GET', 'POST'], upstream: upstream.url, auth: 'none' },
      { path: '/', upstream: upstream.url },
    ],
  })),
  upstream,
}
const NAMES = [
  'X-HTTP-Method-Override',
  'X-HTTP-Method',
  'X-Method-Override',
  'HTTP-Method-Override',
  'X-Original-Method',
  'X-Forwarded-Method',
  'X-Rewrite-Method',
]
const SPELT = NAMES.flatMap((name) => [
  name,
  name.replaceAll('-', '_'),
  name.replaceAll('-', '.'),
  name.toLowerCase(),
  name.replace('-', '_'),
])

t.test('none reaches the upstream in any spelling', async (t) => {
  for (const method of ['GET', 'POST']) {
    const lines = SPELT.map((name) => `${name}: DELETE`)
    await attack(t, wire, {
      lines: head(`${method} /posts HTTP/1.1`, 'Host: x', 'Content-Length: 0', ...lines, 'Connection: close'),
    })
    const received = upstream.requests.at(-1)!
    t.equal(received.method, method)
    t.notMatch(received.bytes, /DELETE|override/i)
    for (const name of NAMES) t.strictSame(valuesOf(received, name), [])
  }
})

t.test('none opens a route for another method', async (t) => {
  upstream.requests.length = 0
  for (const name of SPELT) {
    for (const override of ['GET', 'get', 'POST']) {
      const { statuses } = await wire.send(
        head('DELETE /posts HTTP/1.1', 'Host: x', `${name}: ${override}`, 'Connection: close'),
      )
      t.strictSame(statuses, [401], `${name}: ${override}`)
    }
  }
  for (const method of ['PUT', 'PATCH', 'OPTIONS', 'PROPFIND', 'PURGE', 'M-SEARCH', 'LOCK']) {
    const { statuses } = await wire.send(head(`${method} /posts HTTP/1.1`, 'Host: x', 'Connection: close'))
    t.match(statuses[0], /^(401|404|405)$/, method)
  }
  t.strictSame(upstream.requests, [])
})
