/** The Redis behind the gateways, in each of its forms. */
import { soon } from '../support/gateway-process.js'
import { connect, freePort, startCluster, startRedis } from '../support/redis.js'
import type { OwnRedis, Scope } from '../support/redis.js'
import { launch } from '../support/redis-sentinel.js'
import { startProxy } from '../support/tcp-proxy.js'
import type { TcpProxy } from '../support/tcp-proxy.js'

export type Topology = 'single' | 'durable' | 'sentinel' | 'cluster'

export interface Store {
  readonly topology: Topology
  readonly servers: readonly OwnRedis[]
  /** For each gateway, its store URL. */
  readonly urls: readonly string[]
  /** For each gateway, the way to its Redis; none for Sentinel and Cluster, which give addresses of their own. */
  readonly links: readonly TcpProxy[]
  readonly sentinels?: Sentinels
}

export interface Sentinels {
  /** The server that the Sentinels call the primary. */
  primary(): Promise<OwnRedis>
  /** Resolves when the primary has both replicas, as it and the Sentinels see it. */
  whole(): Promise<unknown>
  failover(): Promise<void>
}

const PRIMARY_NAME = 'gates'
const WHOLE_MILLISECONDS = 60_000
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always']

export async function startStore(t: Scope, topology: Topology, gateways: number): Promise<Store> {
  const each = (url: string) => Array.from({ length: gateways }, () => url)
  if (topology === 'cluster') {
    const { nodes, url } = await startCluster(t)
    return { topology, servers: nodes, urls: each(url), links: [] }
  }
  if (topology === 'sentinel') {
    const { servers, url, sentinels } = await startSentinels(t)
    return { topology, servers, urls: each(url), links: [], sentinels }
  }
  const redis = await startRedis(t, { args: topology === 'durable' ? DURABLE : [] })
  const links = await Promise.all(each('').map(() => startProxy(t, redis.port)))
  return { topology, servers: [redis], urls: links.map(({ url }) => url), links }
}

/** A primary with two replicas, and three Sentinels of which two must agree. */
async function startSentinels(t: Scope) {
  const primary = await startRedis(t)
  const args = ['--replicaof', '127.0.0.1', String(primary.port), '--repl-diskless-sync-delay', '0']
  const servers = [primary, await startRedis(t, { args }), await startRedis(t, { args })]
  const ports: number[] = []
  for (let i = 0; i < 3; i += 1) {
    const port = await freePort()
    await launch(t, port, [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor ${PRIMARY_NAME} 127.0.0.1 ${primary.port} 2`,
      `sentinel down-after-milliseconds ${PRIMARY_NAME} 700`,
      `sentinel failover-timeout ${PRIMARY_NAME} 3000`,
    ])
    ports.push(port)
  }
  const clients = ports.map((port) => connect(t, `redis://127.0.0.1:${port}`))
  const primaryOf = async (client: (typeof clients)[0]) => {
    const address = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', PRIMARY_NAME)) as string[]
    return servers.find(({ port }) => port === Number(address[1]))!
  }
  const sentinels: Sentinels = {
    primary: () => primaryOf(clients[0]!),
    async failover() {
      await clients[0]!.call('SENTINEL', 'FAILOVER', PRIMARY_NAME)
    },
    whole: () => soon('the primary has its replicas', isWhole, WHOLE_MILLISECONDS),
  }
  async function isWhole(): Promise<boolean> {
    const primaries = new Set(await Promise.all(clients.map(primaryOf)))
    const [only] = primaries
    const client = connect({ teardown: () => {} }, only!.url)
    try {
      const info = await client.info('replication')
      if (primaries.size > 1 || (info.match(/state=online/g) ?? []).length !== 2) return false
    } catch {
      return false
    } finally {
      client.disconnect()
    }
    const seen = (await clients[0]!.call('SENTINEL', 'REPLICAS', PRIMARY_NAME)) as string[][]
    const others = (await clients[0]!.call('SENTINEL', 'SENTINELS', PRIMARY_NAME)) as unknown[]
    const attached = seen.filter((one) => one.join(' ').includes('master-link-status ok'))
    return attached.length === 2 && others.length === 2
  }
  await sentinels.whole()
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
  return { servers, url: `redis+sentinel://${hosts}/${PRIMARY_NAME}`, sentinels }
}
