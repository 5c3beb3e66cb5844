/** Requests to the admin listener that stop half-way. */
import net from 'node:net'
import t from 'tap'
import { until } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { head } from '../support/wire.js'

const token = 'a-token-of-the-admin-listener-long-enough'

const STALLED: Record<string, string> = {
  'a head': 'POST /api/revocations HTTP/1.1\r\nHost: x\r\n',
  'a body': head(
    'POST /api/revocations HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    'Content-Length: 100',
  ),
}

t.test('a request to the admin listener that stalls is 408, and its connection closed', async (t) => {
  const { adminUrl } = await startGateway(t, {
    admin: { host: '127.0.0.1', port: 0, token },
    limits: { headersTimeout: '300ms', bodyTimeout: '300ms' },
  })
  for (const [name, bytes] of Object.entries(STALLED)) {
    const socket = net.connect(Number(new URL(adminUrl!).port), '127.0.0.1').on('error', () => {})
    t.teardown(() => socket.destroy())
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.write(bytes)
    await until(`the connection with ${name} is closed`, () => socket.closed)
    t.match(text, /^HTTP\/1\.1 408 [^]*"code":"request_timeout"/, name)
  }
})
