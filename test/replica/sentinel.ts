/** A primary with two replicas, and a real Sentinel that watches them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { soon } from '../gateway-process.js'
import { connect, freePort, startRedis } from '../redis.js'
import type { OwnRedis, Scope } from '../redis.js'
import { means } from '../redis/means.js'
import { ping } from '../redis/ping.js'

const NAME = 'gates'

export interface Watched {
  /** `redis+sentinel://…/gates` */
  readonly url: string
  readonly primary: OwnRedis
  readonly replicas: readonly OwnRedis[]
  /** Of the primary, as the Sentinel has it. */
  primaryPort(): Promise<number>
}

/** Starts them, and waits until the Sentinel knows both replicas. */
export async function startSentinel(t: Scope): Promise<Watched> {
  const primary = await startRedis(t)
  const args = ['--replicaof', '127.0.0.1', String(primary.port), '--repl-diskless-sync-delay', '0']
  const replicas = await Promise.all([startRedis(t, { args }), startRedis(t, { args })])
  const port = await freePort()
  await launch(t, port, [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor ${NAME} 127.0.0.1 ${primary.port} 1`,
    `sentinel down-after-milliseconds ${NAME} 700`,
    `sentinel failover-timeout ${NAME} 3000`,
  ])
  const client = connect(t, `redis://127.0.0.1:${port}`)
  await soon('the Sentinel knows both replicas', async () => {
    const found = (await client.call('SENTINEL', 'REPLICAS', NAME)) as string[][]
    return found.filter((one) => one.join(' ').includes('master-link-status ok')).length === 2
  })
  return {
    url: `redis+sentinel://127.0.0.1:${port}/${NAME}`,
    primary,
    replicas,
    async primaryPort() {
      const address = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[]
      return Number(address[1])
    },
  }
}

/** A Sentinel wants a file that it can write its own state to. It ends with the test, or with this process. */
async function launch(t: Scope, port: number, lines: readonly string[]): Promise<void> {
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
