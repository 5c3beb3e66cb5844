/** One peer of the bench in a process of its own: `server.js <peer>`. Tells its URL and token, then its CPU time when asked. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import portcullis from '../plugins/portcullis.js'
import { loadGatewaySettings } from '../src/config.js'
import { startServer } from '../src/server.js'

export interface Ready {
  readonly url: string
  readonly token: string
}

const ANSWER = { hello: 'world' }
const IDENTITY = { issuer: 'https://bench.example', audience: 'https://bench.example' }
const keys = await mkdtemp(join(tmpdir(), 'portcullis-bench-'))

async function listen(app: FastifyInstance): Promise<string> {
  await app.listen({ host: '127.0.0.1', port: 0 })
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
}

/** A route without any check. */
async function bare(): Promise<Ready> {
  const app = fastify()
  app.get('/', async () => ANSWER)
  return { url: await listen(app), token: '' }
}

/** The same route behind the plugin's guard. */
async function guarded(store: string, check: 'replica' | 'redis' = 'replica'): Promise<Ready> {
  const app = fastify()
  await app.register(portcullis, {
    ...IDENTITY,
    store,
    keyPrefix: 'bench',
    keys: { dir: keys },
    revocation: { check },
  })
  app.get('/', { onRequest: app.authenticate }, async () => ANSWER)
  const url = await listen(app)
  const { access_token: token = '' } = await app.portcullis.issue({ sub: 'bench' })
  return { url, token }
}

/** The gateway before a plain node:http server, which runs in this process, too: its CPU time counts. */
async function proxied(store: string): Promise<Ready> {
  const upstream = createServer((_request, response) => response.end(JSON.stringify(ANSWER)))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const values = {
    ...IDENTITY,
    store,
    keyPrefix: 'bench',
    keys: { dir: keys },
    listen: { host: '127.0.0.1', port: 0 },
    admin: false,
    log: { level: 'warn' },
    routes: [{ path: '/', upstream: origin }],
  }
  const { settings } = loadGatewaySettings({ preset: { name: 'the bench', values } })
  const { url } = await startServer(settings)
  // Another instance on the same keys and Redis, just to get a token.
  const issuer = fastify()
  await issuer.register(portcullis, { ...IDENTITY, store, keyPrefix: 'bench', keys: { dir: keys } })
  const { access_token: token = '' } = await issuer.portcullis.issue({ sub: 'bench' })
  await issuer.close()
  return { url, token }
}

const redis = process.env['TEST_REDIS_URL'] ?? ''
const PEERS: Record<string, () => Promise<Ready>> = {
  'bare Fastify route': bare,
  'guarded, store: memory': () => guarded('memory'),
  'guarded, check: replica': () => guarded(redis),
  'guarded, check: redis': () => guarded(redis, 'redis'),
  'proxied, check: replica (+ upstream)': () => proxied(redis),
}

process.on('message', () => process.send!(process.cpuUsage()))
process.on('disconnect', () => {
  void rm(keys, { recursive: true, force: true }).then(() => process.exit(0))
})
process.send!(await PEERS[process.argv[2]!]!())
