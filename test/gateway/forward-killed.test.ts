import t from 'tap'
import { bodyOf, gateway, raw, until } from '../support/forwarding.js'
import { upstreamProcess } from '../support/upstream-process.js'

const ask = (port: number, path: string, version = '1.1') =>
  raw(port, `GET ${path} HTTP/${version}\r\nHost: x\r\nConnection: close\r\n\r\n`)

/** The client can tell that it has half an answer. */
const showsCut = (text: string, end: 'end' | 'reset') =>
  end === 'reset' ||
  /content-length: 100/i.test(text) ||
  (/transfer-encoding: chunked/i.test(text) && !text.endsWith('0\r\n\r\n'))

t.test(
  'upstream killed before its head: 502; within its body: a cut response, never a complete one',
  async (t) => {
    for (const path of ['/hang', '/half', '/half-chunked']) {
      for (const version of ['1.1', '1.0']) {
        const upstream = await upstreamProcess(t, 'a')
        const { port, outcome } = await gateway(t, upstream.port)
        const answer = ask(port, path, version)
        await until('it was asked', async () => (await upstream.seen()).length === 1)
        await upstream.kill()
        const { text, end } = await answer
        if (path === '/hang') {
          t.match(text, /^HTTP\/1\.1 502 /)
          t.match(await outcome(), { kind: 'failed', error: 'upstream_unavailable' })
        } else {
          t.match(text, /half/)
          t.ok(showsCut(text, end), `${path} ${version}`)
          t.match(await outcome(), { kind: 'cut', status: 200 })
        }
      }
    }
  },
)

t.test('upstream stopped: 504 in time before its head, a cut response in time after it', async (t) => {
  for (const path of ['/hang', '/half', '/half-chunked']) {
    const upstream = await upstreamProcess(t, 'a')
    const { port, outcome } = await gateway(t, upstream.port, { timeouts: { headers: 500, body: 500 } })
    const begin = performance.now()
    const answer = ask(port, path)
    await until('it was asked', async () => (await upstream.seen()).length === 1)
    upstream.signal('SIGSTOP')
    const { text, end } = await answer
    t.ok(performance.now() - begin < 5000)
    if (path === '/hang') {
      t.match(text, /^HTTP\/1\.1 504 /)
      t.match(await outcome(), { kind: 'failed', error: 'upstream_timeout' })
    } else {
      t.match(text, /half/)
      t.ok(showsCut(text, end), path)
      t.strictSame(await outcome(), { kind: 'cut', status: 200, reason: 'body_timeout' })
    }
  }
})

t.test('upstream killed and restarted: the next request is served, also a POST', async (t) => {
  const upstream = await upstreamProcess(t, 'a')
  const { port } = await gateway(t, upstream.port)
  const post = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx'
  t.equal(bodyOf((await raw(port, post)).text), 'ax')
  await upstream.kill()
  t.match((await raw(port, post)).text, /^HTTP\/1\.1 502 /)
  await upstreamProcess(t, 'b', upstream.port)
  t.equal(bodyOf((await raw(port, post)).text), 'bx')
})
