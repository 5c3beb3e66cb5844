/** WebSocket handshakes that are to take the places of others. */
import net from 'node:net'
import t from 'tap'
import { rawUpstream, until } from '../support/forwarding.js'
import { logIn, startGateway } from '../support/gateway-process.js'
import { agrees, client, handshake, isHead } from '../support/websocket-handshakes.js'

t.test('handshakes without a token take no place of their address', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}` }]
  const { url } = await startGateway(t, { routes, limits: { upgradesPerAddress: 5, upgrades: 8 } })
  const port = Number(new URL(url).port)
  const { access_token: token } = await logIn(url)
  // They never close, so the gateway keeps each connection for a while, for the client to read the response.
  const responses = Array.from({ length: 20 }, () => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
    t.teardown(() => socket.destroy())
    socket.write(handshake())
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    return () => text
  })
  await until('all are refused', () => responses.every((text) => isHead(text())))
  for (const text of responses) t.match(text(), /^HTTP\/1\.1 401 /)
  const good = client(t, port, handshake(`Authorization: Bearer ${token}`))
  t.match(await good.got('a response', isHead), /^HTTP\/1\.1 101 /)
})

t.test(
  'those with a token are counted by subject, so users behind one address don’t share a limit',
  async (t) => {
    const upstream = await rawUpstream(t, agrees())
    const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}` }]
    const { url } = await startGateway(t, { routes, limits: { upgradesPerAddress: 2 } })
    const port = Number(new URL(url).port)
    const responses = { ada: [] as string[], bob: [] as string[] }
    for (const name of ['ada', 'bob', 'ada', 'bob', 'ada', 'bob'] as const) {
      const { access_token: token } = await logIn(url, name)
      const text = await client(t, port, handshake(`Authorization: Bearer ${token}`)).got(
        'a response',
        isHead,
      )
      responses[name].push(text.slice(9, 12))
    }
    t.strictSame(responses, { ada: ['101', '101', '503'], bob: ['101', '101', '503'] })
  },
)
