import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { BUS_OFFSET } from './free-port.js'
import type { Scope } from './scope.js'
import { startRedis } from './redis-server.js'
import type { OwnRedis } from './redis-server.js'

const SLOTS = 16_384
const READY_TIMEOUT_MILLISECONDS = 30_000

export interface OwnClusterOptions {
  /** How many primaries; there are no replicas. Default 3. */
  nodes?: number
}

export interface OwnCluster {
  /** `redis+cluster://127.0.0.1:p1,127.0.0.1:p2,…` */
  readonly url: string
  /** `redis://127.0.0.1:p1`, … */
  readonly urls: readonly string[]
  /** Each to be frozen or killed by itself. After a minority is lost, its slots are (no replicas). */
  readonly nodes: readonly OwnRedis[]
}

/** Starts a real Redis Cluster, and waits until every node holds all slots for served. */
export async function startCluster(
  t: Scope,
  { nodes: count = 3 }: OwnClusterOptions = {},
): Promise<OwnCluster> {
  // node-timeout: on a loaded machine a node is silent for seconds, and must not count as failed for that.
  // announce-ip: a lone node doesn't know its own address otherwise.
  const args = '--cluster-enabled yes --cluster-node-timeout 30000 --cluster-announce-ip 127.0.0.1'.split(' ')
  const nodes = await Promise.all(Array.from({ length: count }, () => startRedis(t, { args })))
  const clients = nodes.map(({ url }) => new Redis(url, { maxRetriesPerRequest: 0, commandTimeout: 5000 }))
  for (const client of clients) client.on('error', () => {})
  try {
    await join(nodes, clients)
    await untilReady(clients)
  } finally {
    for (const client of clients) client.disconnect()
  }
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`)
  return { url: `redis+cluster://${hosts.join(',')}`, urls: nodes.map(({ url }) => url), nodes }
}

/** What `redis-cli --cluster create` does, without the need for a redis-cli. */
async function join(nodes: readonly OwnRedis[], clients: readonly Redis[]): Promise<void> {
  const share = Math.ceil(SLOTS / clients.length)
  for (const [index, client] of clients.entries()) {
    const first = index * share
    const slots = Array.from({ length: Math.min(share, SLOTS - first) }, (_, offset) => first + offset)
    await client.cluster('ADDSLOTS', ...slots)
    await client.cluster('SET-CONFIG-EPOCH', index + 1)
  }
  for (const { port } of nodes.slice(1)) {
    await clients[0]?.call('CLUSTER', 'MEET', '127.0.0.1', port, port + BUS_OFFSET)
  }
}

async function untilReady(clients: readonly Redis[]): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MILLISECONDS
  for (;;) {
    const states = await Promise.all(clients.map(async (client) => String(await client.cluster('INFO'))))
    if (states.every((state) => isReady(state, clients.length))) return
    if (performance.now() > deadline) throw new Error(`The cluster did not form:\n${states.join('\n')}`)
    await sleep(50)
  }
}

function isReady(info: string, nodes: number): boolean {
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes}`)
}
