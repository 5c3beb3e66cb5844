/** Ways in which a Redis can't be asked, or takes no writes; each proves that it took place. */
import type { Test } from 'tap'
import { connect } from './redis.js'
import type { OwnRedis } from './redis.js'

export interface Trouble {
  readonly name: string
  begin(t: Test, redis: OwnRedis): Promise<void>
  end(redis: OwnRedis): Promise<void>
  readonly isReachable?: boolean
}

/** A change of the server's settings, which makes it refuse writes by `error`. */
function refusing(name: string, error: RegExp, begin: string[][], end: string[][]): Trouble {
  const send = async (client: ReturnType<typeof connect>, commands: string[][]) => {
    for (const [command, ...args] of commands) await client.call(command!, ...args)
  }
  return {
    name,
    isReachable: true,
    async begin(t, redis) {
      const client = connect(t, redis.url)
      await send(client, begin)
      await t.rejects(client.set('a', 'b'), { message: error }, 'the fault took place')
    },
    async end(redis) {
      const scope = { teardown: () => {} }
      const client = connect(scope, redis.url)
      await send(client, end)
      client.disconnect()
    },
  }
}

export const TROUBLES: readonly Trouble[] = [
  {
    name: 'killed, and started again empty',
    async begin(t, redis) {
      await redis.kill()
      await t.rejects(connect(t, redis.url).ping(), 'the fault took place')
    },
    end: (redis) => redis.start(),
  },
  {
    name: 'frozen, and thawed',
    async begin(t, redis) {
      await redis.freeze()
      await t.rejects(connect(t, redis.url, { commandTimeout: 200 }).ping(), 'the fault took place')
    },
    end: (redis) => redis.thaw(),
  },
  refusing('read-only', /^READONLY/, [['REPLICAOF', '127.0.0.1', '1']], [['REPLICAOF', 'NO', 'ONE']]),
  refusing(
    'too few replicas',
    /^NOREPLICAS/,
    [['CONFIG', 'SET', 'min-replicas-to-write', '1']],
    [['CONFIG', 'SET', 'min-replicas-to-write', '0']],
  ),
]
