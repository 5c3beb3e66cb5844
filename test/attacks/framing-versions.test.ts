/** Versions that this server doesn't speak (RFC 9112 §2.3): answered as HTTP/1.1, they would be forwarded as such. */
import t from 'tap'
import { SMUGGLED, attack, head, startWire } from '../support/wire.js'

const wire = await startWire(t)

t.test('HTTP/0.9 and HTTP/2.0 in a request line are refused, and nothing is forwarded', async (t) => {
  const payloads: Record<string, string> = {}
  for (const version of ['0.9', '2.0']) {
    for (const rest of ['', SMUGGLED]) {
      for (const lines of [
        ['Host: x'],
        [],
        ['Host: x', 'Content-Length: 0'],
        ['Host: x', 'Connection: keep-alive'],
      ]) {
        payloads[`${version} ${lines.join(' ')} ${rest.length}`] =
          head(`GET /open HTTP/${version}`, ...lines) + rest
      }
    }
  }
  const answers = await attack(t, wire, payloads)
  for (const [name, { statuses }] of Object.entries(answers)) t.strictSame(statuses, [400], name)
  t.strictSame(
    wire.upstream.requests.map(({ bytes }) => bytes),
    [],
  )
})
