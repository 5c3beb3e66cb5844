import http from 'node:http'
import https from 'node:https'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import type { Test } from 'tap'
import { createUpstreams } from '../../src/gateway/upstreams.js'
import { authority } from '../support/certificates.js'
import type { Certificate } from '../support/certificates.js'
import { bodyOf, gateway, get, listen, raw } from '../support/forwarding.js'

const ours = authority('A CA of the tests')
const foreign = authority('Another CA')

/** An https upstream that tells what it was asked by. */
async function secureUpstream(t: Test, { cert, key }: Certificate) {
  const seen: { host: string | undefined; servername: unknown }[] = []
  const server = https.createServer({ cert, key }, (request, response) => {
    seen.push({ host: request.headers.host, servername: (request.socket as TLSSocket).servername })
    response.end('secret')
  })
  let connections = 0
  server.on('secureConnection', () => (connections += 1))
  return { port: await listen(t, server), seen, connections: () => connections }
}

t.test('a certificate of the configured CA for the upstream’s name or address is accepted', async (t) => {
  for (const name of ['localhost', '127.0.0.1']) {
    const upstream = await secureUpstream(t, ours.issue(name))
    const { port } = await gateway(t, [`https://${name}:${upstream.port}`], { upstreams: { ca: ours.cert } })
    const { text } = await get(port)
    t.equal(bodyOf(text), 'secret', name)
  }
})

t.test('two CAs in one PEM file, with text between them', async (t) => {
  const upstream = await secureUpstream(t, ours.issue('localhost'))
  const ca = `the first\n${foreign.cert}the second\n${ours.cert}`
  const { port } = await gateway(t, [`https://localhost:${upstream.port}`], { upstreams: { ca } })
  t.equal(bodyOf((await get(port)).text), 'secret')
})

t.test('any other certificate: 502, nothing sent, no internal details', async (t) => {
  for (const [what, certificate, name, reason] of [
    ['another name', ours.issue('other.example'), 'localhost', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['another address', ours.issue('127.0.0.2'), '127.0.0.1', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['a name for an address', ours.issue('localhost'), '127.0.0.1', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['expired', ours.issue('localhost', -1), 'localhost', 'CERT_HAS_EXPIRED'],
    ['not yet valid', ours.issue('localhost', 24 * 9), 'localhost', 'CERT_NOT_YET_VALID'],
    ['of another CA', foreign.issue('localhost'), 'localhost', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ] as const) {
    const upstream = await secureUpstream(t, certificate)
    const { port, outcomes } = await gateway(t, [`https://${name}:${upstream.port}`], {
      upstreams: { ca: ours.cert },
    })
    for (const method of ['GET', 'POST']) {
      // A client that names the host that the certificate is for doesn't change whose it must be.
      const head = `${method} / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n`
      const { text } = await raw(port, head)
      t.match(text, /^HTTP\/1\.1 502 /, what)
      t.equal(bodyOf(text).replaceAll(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, ''), 'upstream_unavailable', what)
    }
    t.match(outcomes, [
      { kind: 'failed', error: 'upstream_unavailable', reason },
      { kind: 'failed', error: 'upstream_unavailable', reason },
    ])
    t.equal(upstream.seen.length, 0, what)
  }
})

t.test('without a configured CA, only CAs that Node trusts are accepted', async (t) => {
  const upstream = await secureUpstream(t, ours.issue('localhost'))
  const { port, outcome } = await gateway(t, [`https://localhost:${upstream.port}`])
  t.match((await get(port)).text, /^HTTP\/1\.1 502 /)
  t.match(await outcome(), { kind: 'failed', error: 'upstream_unavailable' })
  t.equal(upstream.seen.length, 0)
})

t.test('plain http behind an https origin: 502', async (t) => {
  const plain = await listen(
    t,
    http.createServer((_request, response) => response.end()),
  )
  const { port, outcome } = await gateway(t, [`https://localhost:${plain}`], { upstreams: { ca: ours.cert } })
  t.match((await get(port)).text, /^HTTP\/1\.1 502 /)
  t.match(await outcome(), { kind: 'failed', error: 'upstream_unavailable', reason: /^E/ })
})

t.test(
  'the TLS server name is the upstream’s, whatever Host is sent, and connections are kept',
  async (t) => {
    for (const [name, servername] of [
      ['localhost', 'localhost'],
      ['127.0.0.1', false],
    ] as const) {
      const upstream = await secureUpstream(t, ours.issue(name))
      const origin = `https://${name}:${upstream.port}`
      const options = { upstreams: { ca: ours.cert } }
      const keep = await gateway(t, [origin], options)
      const own = await gateway(t, [origin], { ...options, host: 'upstream' })
      const sent = (port: number, host: string) =>
        raw(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      for (const host of ['other.example', 'another.example']) {
        t.match((await sent(keep.port, host)).text, /^HTTP\/1\.1 200 /)
        t.match((await sent(own.port, host)).text, /^HTTP\/1\.1 200 /)
      }
      t.strictSame(upstream.seen, [
        { host: 'other.example', servername },
        { host: `${name}:${upstream.port}`, servername },
        { host: 'another.example', servername },
        { host: `${name}:${upstream.port}`, servername },
      ])
      t.equal(upstream.connections(), 2, 'one a gateway')
    }
  },
)

t.test('an invalid PEM file is reported at once', (t) => {
  t.throws(() => createUpstreams({ ca: 'ca.pem' }), /PEM/)
  t.throws(() => createUpstreams({ ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }))
  t.end()
})
