/**
 * An upstream, or an attacker who can make it set a header, puts a client into a session of the attacker: it sends
 * `X-Renewed-Access-Token`, which the client would store in place of its own token.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import { listen } from '../support/forwarding.js'
import { call, logIn, startGateway } from '../support/gateway-process.js'

const server = createServer((_request, response) => {
  response.writeEarlyHints({ link: '</style.css>; rel=preload', 'x-renewed-access-token': 'stolen' })
  const headers = [
    ['X-Renewed-Access-Token', 'stolen'],
    ['x-renewed-access-token', 'again'],
    ['X-RENEWED-EXPIRES-IN', '9'],
    ['X-Renewed-Subscription', 'kept'],
    ['Trailer', 'X-Renewed-Access-Token'],
  ]
  response.writeHead(200, headers.flat())
  response.write('a body')
  response.addTrailers({ 'X-Renewed-Access-Token': 'stolen' })
  response.end()
})
const port = await listen(t, server)

for (const renewUnder of ['0s', '1m']) {
  t.test(`with tokens.renewUnder: ${renewUnder}`, async (t) => {
    const upstream = `http://127.0.0.1:${port}`
    const routes = [
      { path: '/open', upstream, auth: 'none' },
      { path: '/', upstream },
    ]
    const { url } = await startGateway(t, { tokens: { renewUnder }, routes })
    const { access_token: token } = await logIn(url)
    for (const path of ['/open', '/guarded']) {
      const { status, headers } = await call(url, 'GET', path, { token })
      t.equal(status, 200)
      t.notOk('x-renewed-access-token' in headers, path)
      t.notOk('x-renewed-expires-in' in headers, path)
      t.equal(headers['x-renewed-subscription'], 'kept', 'other headers are passed on')
    }
    t.notMatch(await wholeResponse(url), /x-renewed-(?:access|expires)/i, 'hints and trailers')
  })
}

/** The bytes that a client receives, with interim responses and trailers. */
async function wholeResponse(url: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write('GET /open HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: close\r\n\r\n')
  let text = ''
  socket.setEncoding('latin1').on('data', (piece: string) => (text += piece))
  await once(socket, 'close')
  return text
}
