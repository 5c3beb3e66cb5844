import { writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import t from 'tap'
import { authority } from '../support/certificates.js'
import { USERS, home, startGateway, startUpstream } from '../support/gateway-process.js'

const directory = await home(t)
const ca = authority('the test')
const { cert, key } = ca.issue('127.0.0.1')
const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
await writeFile(files.cert, cert)
await writeFile(files.key, key)
const upstream = await startUpstream(t)
const { url } = await startGateway(
  t,
  {
    listen: { host: '127.0.0.1', port: 0, tls: files },
    routes: [{ path: '/', upstream: upstream.url, auth: 'none' }],
  },
  directory,
)

async function call(method: string, path: string, body = '', headers = {}) {
  return new Promise<{ status?: number | undefined; setCookie: string[]; body: string }>(
    (resolve, reject) => {
      const outgoing = request(
        `${url}${path}`,
        { method, ca: ca.cert, headers, agent: false },
        async (answer) =>
          resolve({
            status: answer.statusCode,
            setCookie: answer.headers['set-cookie'] ?? [],
            body: await text(answer),
          }),
      )
      outgoing.on('error', reject).end(body)
    },
  )
}

t.test('the listener uses the configured certificate and reports https', async (t) => {
  t.match(url, /^https:/)
  t.equal((await call('GET', '/healthz')).status, 200)
})

t.test('a page of its own origin logs in with cookies', async (t) => {
  const body = JSON.stringify({ username: 'ada', password: USERS.ada, cookies: true })
  const json = { 'content-type': 'application/json' }
  const own = await call('POST', '/auth/login', body, { ...json, origin: url })
  t.equal(own.status, 200)
  t.match(own.setCookie, [/^__Host-access=.*Secure/, /^__Secure-refresh=.*Secure/])
  const cookie = own.setCookie.map((line) => line.split(';')[0]).join('; ')
  t.equal((await call('GET', '/auth/me', '', { cookie })).status, 200)
})

t.test('the upstream is told that the client used https', async (t) => {
  t.equal((await call('GET', '/x')).body, 'from the upstream')
  t.equal(upstream.seen.at(-1)!.headers['x-forwarded-proto'], 'https')
})

t.test('plain http on the port gets no response, and TLS 1.1 no connection', async (t) => {
  await t.rejects(fetch(url.replace('https', 'http') + '/healthz'))
  const { hostname: host, port } = new URL(url)
  const old = connect({ host, port: Number(port), ca: ca.cert, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })
  await t.rejects(new Promise((resolve, reject) => old.once('secureConnect', resolve).once('error', reject)))
})
