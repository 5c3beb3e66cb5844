/**
 * NTLM and Negotiate authenticate a connection, not a request: on connections that clients share, the next one would
 * be whoever came before (as in CVE-2026-88007, GHSA-qqjf-53cj-pwvv, of Traefik over HTTP/3).
 */
import t from 'tap'
import { rawUpstream } from '../support/forwarding.js'
import { startGateway } from '../support/gateway-process.js'
import { head, send } from '../support/wire.js'

t.test('NTLM or Negotiate of one client isn’t valid for the next one', async (t) => {
  for (const scheme of ['NTLM', 'Negotiate']) {
    /** As IIS does it: once a connection has proved itself, all requests on it are that user’s. */
    const users = new Map<number, string>()
    const upstream = await rawUpstream(t, (socket, seen, connection) => {
      if (!seen.endsWith('\r\n\r\n')) return
      const request = seen.slice(Math.max(0, seen.lastIndexOf('GET ')))
      if (new RegExp(`^authorization: ${scheme} alice`, 'im').test(request)) users.set(connection, 'alice')
      const user = users.get(connection)
      socket.write(
        user === undefined
          ? head('HTTP/1.1 401 Unauthorized', `WWW-Authenticate: ${scheme}`, 'Content-Length: 0')
          : head('HTTP/1.1 200 OK', `Content-Length: ${user.length}`) + user,
      )
    })
    const routes = [{ path: '/', upstream: `http://127.0.0.1:${upstream.port}`, auth: 'none' }]
    const { url } = await startGateway(t, { routes })
    const port = Number(new URL(url).port)
    await send(port, head('GET / HTTP/1.1', 'Host: x', `Authorization: ${scheme} alice`, 'Connection: close'))
    const { text } = await send(port, head('GET /secret HTTP/1.1', 'Host: x', 'Connection: close'))
    t.notMatch(text, /alice$/, `${scheme}: the second client showed nothing`)
  }
})
