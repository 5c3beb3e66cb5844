/** A handshake is a request like any other: no token, no tunnel, and nothing that was sent along gets past the gate. */
import t from 'tap'
import { call, logIn, startGateway } from '../support/gateway-process.js'
import { rawUpstream, settled, until } from '../support/forwarding.js'
import { ASKS, afterHead, client, handshake, isHead, open } from '../support/websocket-handshakes.js'
import { SMUGGLED, attack, head, send, startRecorder, startWire } from '../support/wire.js'

const to = (target: string, ...more: readonly string[]) => handshake(...more).replace('/live', target)

t.test('a WebSocket handshake doesn’t bypass the guard', async (t) => {
  const wire = await startWire(t)
  const { access_token } = await logIn(wire.url)
  const { access_token: ended } = await logIn(wire.url)
  t.equal((await call(wire.url, 'POST', '/auth/logout', { token: ended })).status, 204)
  const bearer = (token: string) => `Authorization: Bearer ${token}`
  const answers = await attack(t, wire, {
    'no token': to('/guarded'),
    'a token of nobody’s': to('/guarded', bearer('x.y.z')),
    'a forged one': to('/guarded', bearer(access_token.slice(0, -4) + 'AAAA')),
    'one of a session that has ended': to('/guarded', bearer(ended)),
    'two of them': to('/guarded', bearer(access_token), bearer(access_token)),
    'a token as the subprotocol': to('/guarded', `Sec-WebSocket-Protocol: bearer, ${access_token}`),
    'the gateway’s own': to('/auth/sessions'),
    traversal: to('/open/..%2fguarded'),
    backslashes: to('/open\\..\\guarded'),
    'absolute form': to('http://elsewhere.example/guarded'),
    'no Host': to('/guarded').replace('Host: x\r\n', ''),
    'no route': to('/auth/verify/../../guarded'),
  })
  const codes = Object.values(answers).map(({ statuses }) => statuses.join())
  t.strictSame(codes, ['401', '401', '401', '401', '400', '401', '401', '400', '400', '400', '400', '400'])
  for (const [name, { text }] of Object.entries(answers)) {
    t.notMatch(text, /101 Switching|\r\nUpgrade:/i, name)
    t.match(text, /\r\nConnection: close\r\n/i, name)
  }
  t.equal(wire.upstream.requests.length, 0)
})

t.test('data behind a refused handshake reaches nobody', async (t) => {
  const wire = await startWire(t)
  const answers = await attack(t, wire, {
    'refused by the gate': to('/guarded') + SMUGGLED,
    'refused by the target law': to('/a//b') + SMUGGLED,
    'answered by a route of the gateway’s': to('/healthz') + SMUGGLED,
    'answered by the upstream, but not by 101': to('/open') + SMUGGLED,
    'of a version that the upstream does not speak':
      to('/open').replace('Version: 13', 'Version: 1337') + SMUGGLED,
  })
  const codes = Object.values(answers).map(({ statuses }) => statuses.join())
  t.strictSame(codes, ['401', '400', '200', '200', '200'], 'one answer each')
  t.equal(wire.upstream.requests.length, 2)
})

t.test('a handshake behind an unanswered request doesn’t overtake it', async (t) => {
  const wire = await startWire(t)
  const answers = await attack(t, wire, {
    'behind one that is guarded': head('GET /guarded HTTP/1.1', 'Host: x') + to('/open'),
    'behind one that is open': head('GET /open HTTP/1.1', 'Host: x') + to('/guarded'),
  })
  for (const [name, { text }] of Object.entries(answers)) t.notMatch(text, /101 Switching/, name)
})

t.test('the gateway buffers little of what is sent before the upstream has switched', async (t) => {
  const upstream = await rawUpstream(t, () => {})
  const port = await open(t, upstream.port, { timeouts: { shutdown: '0s' } })
  const { socket } = client(t, port, handshake())
  await until('the upstream is asked', () => isHead(upstream.seen[0] ?? ''))
  let isTaken = false
  socket.write(Buffer.alloc(32 << 20), () => (isTaken = true))
  await settled(() => socket.writableLength)
  t.notOk(isTaken, 'the client has to wait')
  t.equal(afterHead(upstream.seen[0]!), '')
})

t.test('upgrade headers don’t reach the upstream of a plain request', async (t) => {
  const wire = await startWire(t)
  const one = client(
    t,
    wire.port,
    head('POST /open HTTP/1.1', 'Host: x', ...ASKS, 'Content-Length: 4') + 'body',
  )
  await one.got('an answer', (text) => text.endsWith('ok'))
  t.match(wire.upstream.requests, [{ method: 'POST', target: '/open', body: 'body' }])
  const names = wire.upstream.requests[0]!.headers.map(([name]) => name.toLowerCase())
  t.notOk(names.includes('upgrade'))
})

t.test('a WebSocket handshake doesn’t bypass onSuccess', async (t) => {
  const upstream = await startRecorder(t)
  const { url } = await startGateway(t, {
    routes: [
      { path: '/leave', upstream: upstream.url, onSuccess: 'end-session' },
      { path: '/', upstream: upstream.url },
    ],
  })
  const { access_token } = await logIn(url)
  const token = `Authorization: Bearer ${access_token}`
  const { statuses } = await send(Number(new URL(url).port), to('/leave', token))
  t.strictSame(statuses, [200])
  t.equal((await call(url, 'GET', '/', { token: access_token })).body.code, 'session_ended')
})
