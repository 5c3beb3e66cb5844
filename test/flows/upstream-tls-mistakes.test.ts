/** An https upstream or login API whose certificate isn't accepted: the log names the setting. */
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { authority } from '../support/certificates.js'
import type { Certificate } from '../support/certificates.js'
import { call, home, isRefused, serveGateway, soon } from '../support/gateway-process.js'
import { listen } from '../support/forwarding.js'

const [ours, other] = [authority('ours'), authority('another')]
const directory = await home(t)
await writeFile(join(directory, 'ca.pem'), ours.cert)

const respond = createPlainServer((_request, response) => void response.end())
const secure = (certificate: Certificate, options = {}) =>
  listen(
    t,
    createServer({ ...certificate, ...options }, (_request, response) => void response.end()),
  )
const client = { requestCert: true, rejectUnauthorized: true, ca: ours.cert }
const ports = {
  untrusted: await secure(other.issue('localhost')),
  name: await secure(ours.issue('other.example')),
  expired: await secure(ours.issue('localhost', -1)),
  plain: await listen(t, respond),
  client: await secure(ours.issue('localhost'), client),
}
const { url, records } = await serveGateway(
  t,
  {
    upstreams: { ca: 'ca.pem' },
    login: {
      http: { url: `https://localhost:${ports.untrusted}/`, subject: '/id' },
    },
    routes: Object.entries(ports).map(([name, port]) => ({
      path: `/${name}`,
      upstream: `https://localhost:${port}`,
      auth: 'none',
    })),
  },
  directory,
)

for (const [name, message] of Object.entries({
  untrusted: /its certificate is of a CA that is not trusted; set upstreams\.ca to /,
  name: /its certificate is for another name; .*upstreams\.servername/,
  expired: /its certificate has expired$/,
  plain: /it seems not to speak TLS; write http:\/\/ in routes\[\]\.upstream$/,
  client: /it refuses the client certificate, or demands one; set upstreams\.cert/,
})) {
  t.test(name, async (t) => {
    const before = records().length
    isRefused(t, await call(url, 'GET', `/${name}`), 502, 'upstream_unavailable')
    const failed = await soon('the failure is logged', () =>
      records()
        .slice(before)
        .find(({ event }) => event === 'forward_failed'),
    )
    t.match(failed['msg'], /^there is no TLS connection to the upstream server: /)
    t.match(failed['msg'], message)
  })
}

t.test('the login API', async (t) => {
  const json = { username: 'ada', password: 'x' }
  isRefused(t, await call(url, 'POST', '/auth/login', { json }), 502, 'upstream_unavailable')
  const failed = await soon('the failure is logged', () =>
    records().find(({ event }) => event === 'login_http_failed'),
  )
  t.match(
    failed['msg'],
    /^login\.http\.url: there is no TLS connection .* not trusted; .*NODE_EXTRA_CA_CERTS/,
  )
})
