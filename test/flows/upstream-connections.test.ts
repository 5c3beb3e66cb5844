import type net from 'node:net'
import t from 'tap'
import { get, rawUpstream, until } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'

t.test(
  'an upstream gets no more connections than `upstreams.connections`; other requests wait',
  async (t) => {
    const asked: net.Socket[] = []
    const upstream = await rawUpstream(t, (socket) => void asked.push(socket))
    const { url } = await startGateway(t, {
      routes: [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }],
      upstreams: { connections: 2 },
    })
    const answers = Array.from({ length: 5 }, () => get(Number(new URL(url).port)))
    for (let left = answers.length; left > 0; left--) {
      await until('one is asked', () => asked.length > 0)
      t.ok(upstream.sockets.length <= 2)
      asked.shift()!.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    }
    for (const { text } of await Promise.all(answers)) t.match(text, /^HTTP\/1\.1 200 [^]*ok$/)
    t.equal(upstream.sockets.length, 2)
  },
)
