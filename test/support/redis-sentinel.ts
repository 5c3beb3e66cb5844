/** A primary with two replicas, and real Sentinels that watch them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Redis } from 'ioredis'
import { soon } from './gateway-process.js'
import { connect, freePort, startRedis } from './redis.js'
import type { OwnRedis, Scope } from './redis.js'
import { means } from './server-signals.js'
import { ping } from './redis-ping.js'

const NAME = 'gates'

export interface Watched {
  /** `redis+sentinel://…/gates`, with all Sentinels. */
  readonly url: string
  readonly primary: OwnRedis
  readonly replicas: readonly OwnRedis[]
  /** The primary's port, as the first Sentinel knows it. */
  primaryPort(): Promise<number>
  /** Resolves when every Sentinel knows two replicas in good health. */
  settle(): Promise<void>
  /** Begins a planned failover. */
  failOver(): Promise<void>
}

/** Starts them, and waits until every Sentinel knows both replicas and the other Sentinels. */
export async function startSentinel(t: Scope, { sentinels = 1 } = {}): Promise<Watched> {
  const primary = await startRedis(t)
  const args = ['--replicaof', '127.0.0.1', String(primary.port), '--repl-diskless-sync-delay', '0']
  const replicas = await Promise.all([startRedis(t, { args }), startRedis(t, { args })])
  const ports = await Promise.all(Array.from({ length: sentinels }, () => freePort()))
  const quorum = Math.floor(sentinels / 2) + 1
  const launching = ports.map((port) =>
    launch(t, port, [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} ${quorum}`,
      `sentinel down-after-milliseconds ${NAME} 700`,
      `sentinel failover-timeout ${NAME} 3000`,
    ]),
  )
  await Promise.all(launching)
  const clients = ports.map((port) => connect(t, `redis://127.0.0.1:${port}`))
  const find = async (client: Redis, what: 'REPLICAS' | 'SENTINELS') =>
    ((await client.call('SENTINEL', what, NAME)) as string[][]).map((one) => one.join(' '))
  const isSettled = async (client: Redis) => {
    const found = await find(client, 'REPLICAS')
    const linked = found.filter((one) => /master-link-status ok/.test(one) && !/[so]_down/.test(one))
    return linked.length === 2 && (await find(client, 'SENTINELS')).length === sentinels - 1
  }
  const settle = async () => {
    for (const client of clients) await soon('a Sentinel knows all', () => isSettled(client))
  }
  await settle()
  return {
    url: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${NAME}`,
    primary,
    replicas,
    settle,
    async primaryPort() {
      const address = (await clients[0]!.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[]
      return Number(address[1])
    },
    async failOver() {
      const begin = () =>
        clients[0]!.call('SENTINEL', 'FAILOVER', NAME).catch((error: Error) => {
          // Another failover is too recent, or the replicas' state isn't known yet.
          if (/INPROG|NOGOODSLAVE/.test(error.message)) return undefined
          throw error
        })
      await soon('a failover has begun', begin)
    },
  }
}

/** A Sentinel wants a file that it can write its own state to. It ends with the test, or with this process. */
export async function launch(t: Scope, port: number, lines: readonly string[]): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-sentinel-'))
  const file = join(directory, 'sentinel.conf')
  await writeFile(file, `${lines.join('\n')}\ndir ${directory}\n`)
  const by = means()
  const leash = `( trap '' HUP INT TERM; read -r _ <&3; ${by.line('kill', '$$')} ) >/dev/null 2>&1 &`
  const child = spawn(
    'sh',
    ['-c', `${leash} exec "$@" 3<&-`, 'sh', ...by.argv(directory, [file, '--sentinel'])],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
  )
  const exited = once(child, 'exit')
  t.teardown(async () => {
    ;(child.stdio[3] as Socket).end('\n')
    await exited
    await rm(directory, { recursive: true, force: true })
  })
  await soon('the Sentinel answers', async () => (await ping(port)) === 'pong')
}

/** Cuts a primary off from its replicas, for good: what is written from now on reaches none. */
export async function isolateReplicas(t: Scope, { primary, replicas }: Watched): Promise<void> {
  const client = connect(t, primary.url)
  await client.call('ACL', 'SETUSER', 'default', '-psync', '-sync')
  await client.call('CLIENT', 'KILL', 'TYPE', 'replica')
  await soon('no replica is attached', async () =>
    /connected_slaves:0/.test(await client.info('replication')),
  )
  for (const replica of replicas) {
    const status = async () => connect(t, replica.url).info('replication')
    await soon('its link is down', async () => /master_link_status:down/.test(await status()))
  }
}
