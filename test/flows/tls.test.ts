import { generateKeyPairSync, sign } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect } from 'node:tls'
import t from 'tap'
import { USERS, home, startGateway, startUpstream } from '../gateway-process.js'

const directory = await home(t)
const { cert, key } = selfSigned('127.0.0.1')
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
      const outgoing = request(`${url}${path}`, { method, ca: cert, headers, agent: false }, async (answer) =>
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

t.test('it listens with the certificate given, and says https', async (t) => {
  t.match(url, /^https:/)
  t.equal((await call('GET', '/healthz')).status, 200)
})

t.test('a page of its own origin logs in by cookies', async (t) => {
  const body = JSON.stringify({ username: 'ada', password: USERS.ada, cookies: true })
  const json = { 'content-type': 'application/json' }
  const own = await call('POST', '/auth/login', body, { ...json, origin: url })
  t.equal(own.status, 200)
  t.match(own.setCookie, [/^__Host-access=.*Secure/, /^__Secure-refresh=.*Secure/])
  const cookie = own.setCookie.map((line) => line.split(';')[0]).join('; ')
  t.equal((await call('GET', '/auth/me', '', { cookie })).status, 200)
})

t.test('the upstream is told that the client came by https', async (t) => {
  t.equal((await call('GET', '/x')).body, 'from the upstream')
  t.equal(upstream.seen.at(-1)!.headers['x-forwarded-proto'], 'https')
})

t.test('plain http on the port gets no answer, and the old TLS 1.1 no connection', async (t) => {
  await t.rejects(fetch(url.replace('https', 'http') + '/healthz'))
  const { hostname: host, port } = new URL(url)
  const old = connect({ host, port: Number(port), ca: cert, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })
  await t.rejects(new Promise((resolve, reject) => old.once('secureConnect', resolve).once('error', reject)))
})

/** A self-signed certificate for an address (RFC 5280 §4.1), made here, as not every machine has an openssl. */
function selfSigned(ip: string): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const sequence = (...parts: Buffer[]) => der(0x30, ...parts)
  const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
  const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'))
  const name = sequence(der(0x31, sequence(oid('550403'), der(0x0c, Buffer.from(ip)))))
  const time = (at: number) => {
    const digits = new Date(at).toISOString().replaceAll(/\D/g, '')
    return der(0x17, Buffer.from(`${digits.slice(2, 14)}Z`))
  }
  const address = Buffer.from(ip.split('.').map(Number))
  const subjectAltName = sequence(oid('551d11'), der(0x04, sequence(der(0x87, address))))
  const certificate = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ecdsaWithSha256,
    name,
    sequence(time(Date.now() - 3_600_000), time(Date.now() + 3_600_000)),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(subjectAltName)),
  )
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', certificate, privateKey)])
  const whole = sequence(certificate, ecdsaWithSha256, der(0x03, signature)).toString('base64')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${whole.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

/** X.690's tag, length, value; up to 65535 bytes. */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts)
  const { length } = value
  const head = length < 128 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(head), value])
}
