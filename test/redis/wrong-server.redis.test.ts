/** A `store` that names a server which isn't a Redis of that kind: the log says what to change. */
import { createServer as createHttpServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import fastify from 'fastify'
import t from 'tap'
import type { Test } from 'tap'
import { storeUnavailable } from '../../src/errors.js'
import { openRedis } from '../../src/redis/connect.js'
import { authority } from '../support/certificates.js'
import { listen } from '../support/forwarding.js'
import { soon } from '../support/gateway-process.js'
import { startRedis } from '../support/redis.js'

interface Logged {
  readonly event?: string
  readonly msg: string
}

/** The first record about a store that is down. */
async function outageOf(t: Test, url: string): Promise<Logged> {
  const records: Logged[] = []
  const stream = { write: (line: string) => void records.push(JSON.parse(line) as Logged) }
  const { log } = fastify({ logger: { level: 'info', stream } })
  const connection = await openRedis(url, log)
  t.teardown(connection.close)
  return soon('an outage is logged', () => records.find(({ event }) => event === 'store_down'))
}

/** A TLS server with a certificate of a CA that nobody trusts. */
function tlsPort(t: Test): Promise<number> {
  const server = createTlsServer(authority('a CA').issue('localhost'))
  return listen(t, server.on('tlsClientError', () => {}) as never)
}

t.test('rediss:// and a Redis without TLS', async (t) => {
  const { port } = await startRedis(t)
  const { msg } = await outageOf(t, `rediss://localhost:${port}`)
  t.match(msg, /^store: Redis completes no TLS handshake; .*write redis:\/\/ instead of rediss:\/\//)
})

t.test('rediss:// and a server that closes the connection', async (t) => {
  const port = await listen(t, createTcpServer((socket) => socket.destroy()) as never)
  t.match((await outageOf(t, `rediss://localhost:${port}`)).msg, /^store: .*TLS/)
})

t.test('rediss:// and a certificate that isn’t trusted', async (t) => {
  const { msg } = await outageOf(t, `rediss://localhost:${await tlsPort(t)}`)
  t.match(msg, /^store: there is no TLS connection to Redis: its certificate .*NODE_EXTRA_CA_CERTS/)
})

t.test('redis:// and a server that expects TLS', async (t) => {
  const { msg } = await outageOf(t, `redis://localhost:${await tlsPort(t)}`)
  t.match(msg, /^store: the server closes the connection before it replies; .*rediss:\/\//)
})

t.test('redis:// and a web server', async (t) => {
  const port = await listen(
    t,
    createHttpServer((_request, response) => void response.end()),
  )
  const { msg } = await outageOf(t, `redis://localhost:${port}`)
  t.match(msg, /^store: the server does not speak the Redis protocol; check the port/)
})

t.test('a lost connection is no mistake in the settings', async (t) => {
  const redis = await startRedis(t)
  const records: Logged[] = []
  const stream = { write: (line: string) => void records.push(JSON.parse(line) as Logged) }
  const { log } = fastify({ logger: { level: 'info', stream } })
  const { client, close } = await openRedis(redis.url, log)
  t.teardown(close)
  await redis.stop()
  const down = await soon('an outage is logged', () => records.find(({ event }) => event === 'store_down'))
  t.match(down.msg, /^(?:connection to Redis lost|Redis is unreachable)$/)

  const failure = storeUnavailable(await client.get('key').catch((error: unknown) => error))
  t.match(
    failure.reason,
    /^(?:there is no connection to Redis|the connection to Redis was lost before it replied)$/,
  )
})
