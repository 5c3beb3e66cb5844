/**
 * Cross-site WebSocket hijacking: a page of any site may open a WebSocket, and the browser sends the cookies along. No
 * preflight, no same-origin policy: only `Origin` tells.
 */
import t from 'tap'
import { logIn, logInByCookies, startGateway } from '../support/gateway-process.js'
import { rawUpstream } from '../support/forwarding.js'
import { agrees, client, handshake, isHead } from '../support/websocket-handshakes.js'

t.test('with cookies, only pages of this host can open WebSockets', async (t) => {
  const upstream = await rawUpstream(t, agrees())
  const { url } = await startGateway(t, {
    routes: [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}` }],
    cookies: { enabled: true },
    cors: { origins: ['https://app.example'] },
  })
  const { host, port } = new URL(url)
  const cookies = await logInByCookies(url)
  const cookie = `Cookie: ${Object.entries(cookies)
    .map((pair) => pair.join('='))
    .join('; ')}`
  const token = `Authorization: Bearer ${(await logIn(url)).access_token}`
  const open = async (...lines: readonly string[]) => {
    const one = client(t, Number(port), handshake(...lines).replace('Host: x', `Host: ${host}`))
    const text = await one.got('an answer', isHead)
    if (text.includes(' 101 ')) return '101'
    await one.ended()
    return `${text.slice(9, 12)} ${/"code":"(\w+)"/.exec(one.text)?.[1]}`
  }

  const refused = '403 cross_site_request'
  t.equal(await open(cookie, 'Origin: https://evil.example'), refused)
  t.equal(await open(cookie, 'Origin: null'), refused)
  t.equal(await open(cookie, `Origin: http://${host}.evil.example`), refused)
  t.equal(await open(cookie, `Origin: http://evil.example/${host}`), refused)
  t.equal(await open(cookie, `Origin: http://127.0.0.1:${Number(port) + 1}`), refused)
  t.equal(await open(cookie), refused, 'without an Origin nobody knows')
  t.equal(await open(cookie, 'Sec-Fetch-Site: cross-site'), refused)
  t.equal(await open(cookie, 'Origin: https://evil.example', 'Sec-Fetch-Site: same-origin'), refused)
  t.equal(upstream.sockets.length, 0, 'the upstream heard of none of them')

  t.equal(await open(cookie, `Origin: http://${host}`), '101')
  t.equal(await open(cookie, 'Origin: https://app.example'), '101', 'of a listed origin')
  t.equal(await open(token, 'Origin: https://evil.example'), '101', 'what a browser does not send by itself')
  t.notMatch(upstream.seen.join(''), /access|eyJhbGci/, 'no credential went on')
})
