/** Upstreams that admit only clients with a certificate of their CA, and that have another name than their address. */
import https from 'node:https'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import type { Test } from 'tap'
import { authority } from '../support/certificates.js'
import { bodyOf, gateway, get, listen } from '../support/forwarding.js'

const ours = authority('A CA of the tests')
const foreign = authority('Another CA')

/** An https upstream that demands a client certificate of our CA. */
async function demandingUpstream(t: Test, name: string) {
  const seen: { subject: string | undefined; servername: unknown }[] = []
  const options = { ...ours.issue(name), ca: ours.cert, requestCert: true, rejectUnauthorized: true }
  const server = https.createServer(options, ({ socket }, response) => {
    const { servername } = socket as TLSSocket
    seen.push({ subject: String((socket as TLSSocket).getPeerCertificate().subject.CN), servername })
    response.end('secret')
  })
  return { port: await listen(t, server), seen }
}

t.test('an upstream that demands a client certificate gets ours', async (t) => {
  const upstream = await demandingUpstream(t, 'localhost')
  const upstreams = { ca: ours.cert, ...ours.issue('gateway.internal') }
  const { port } = await gateway(t, [`https://localhost:${upstream.port}`], { upstreams })
  t.equal(bodyOf((await get(port)).text), 'secret')
  t.match(upstream.seen, [{ subject: 'gateway.internal' }])
})

t.test('without a certificate, or with one of another CA, the upstream is unavailable', async (t) => {
  for (const certificate of [{}, foreign.issue('gateway.internal')]) {
    const upstream = await demandingUpstream(t, 'localhost')
    const upstreams = { ca: ours.cert, ...certificate }
    const { port, outcome } = await gateway(t, [`https://localhost:${upstream.port}`], { upstreams })
    t.match((await get(port, 'POST')).text, /^HTTP\/1\.1 502 /)
    t.match(await outcome(), { kind: 'failed', error: 'upstream_unavailable' })
    t.equal(upstream.seen.length, 0)
  }
})

t.test('the server name is requested, and is the only one that the certificate may be for', async (t) => {
  const servername = 'api.internal'
  const upstreams = { ca: ours.cert, ...ours.issue('gateway.internal'), servername }
  for (const host of ['127.0.0.1', 'localhost']) {
    const upstream = await demandingUpstream(t, servername)
    const { port } = await gateway(t, [`https://${host}:${upstream.port}`], { upstreams })
    t.equal(bodyOf((await get(port)).text), 'secret', host)
    t.match(upstream.seen, [{ servername }])

    const own = await demandingUpstream(t, host)
    const other = await gateway(t, [`https://${host}:${own.port}`], { upstreams })
    t.match((await get(other.port)).text, /^HTTP\/1\.1 502 /)
    t.match(await other.outcome(), { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    t.equal(own.seen.length, 0)
  }
})
