/** Ways in which a Redis loses its data, or they are changed by another hand; each proves that it took place. */
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { connect } from './redis.js'
import type { OwnRedis } from './redis.js'

export const STATE = '{portcullis}:state'
export const LOG = '{portcullis}:log'
const ONLY_IN_DUMP = 'a key that was deleted after the dump'

export interface Fault {
  readonly name: string
  /** Whether the session records are gone, too. */
  readonly losesSessions: boolean
  /** Before the last sessions are ended. */
  prepare(t: Test, redis: OwnRedis): Promise<void>
  strike(t: Test, redis: OwnRedis): Promise<void>
}

const nothing = async () => {}

/** What `work` gives on a connection of its own. */
async function ask<T>(t: Test, { url }: OwnRedis, work: (client: ReturnType<typeof connect>) => Promise<T>) {
  const client = connect(t, url)
  try {
    return await work(client)
  } finally {
    client.disconnect()
  }
}

/** The state of the log, as the server has it. */
export const stateOf = (t: Test, redis: OwnRedis) =>
  ask(t, redis, (client) => client.hgetall(STATE)) as Promise<Partial<Record<'epoch' | 'settled', string>>>

/** Replies of commands that nobody can come between. */
async function atOnce(t: Test, redis: OwnRedis, commands: string[][]): Promise<unknown[]> {
  const replies = await ask(t, redis, (client) => client.multi(commands).exec())
  return replies!.map(([error, reply]) => error ?? reply)
}

async function runId(t: Test, redis: OwnRedis): Promise<string | undefined> {
  const info = await ask(t, redis, (client) => client.info('server'))
  return /run_id:(\w+)/.exec(info)?.[1]
}

const setting = (t: Test, redis: OwnRedis, name: string) =>
  ask(t, redis, async (client) => String(((await client.config('GET', name)) as string[])[1]))

async function dumpFile(t: Test, redis: OwnRedis): Promise<string> {
  return join(await setting(t, redis, 'dir'), await setting(t, redis, 'dbfilename'))
}

async function restart(t: Test, redis: OwnRedis, meanwhile: () => Promise<void>): Promise<void> {
  const before = await runId(t, redis)
  await redis.kill()
  await meanwhile()
  await redis.start()
  t.not(await runId(t, redis), before, 'another process')
}

const flushed: Fault = {
  name: 'FLUSHALL',
  losesSessions: true,
  prepare: nothing,
  async strike(t, redis) {
    const [before, , after] = await atOnce(t, redis, [['dbsize'], ['flushall'], ['dbsize']])
    t.ok(Number(before) > 0)
    t.equal(after, 0, 'nothing is left')
  },
}

const emptied: Fault = {
  name: 'killed, and started again empty',
  losesSessions: true,
  prepare: nothing,
  async strike(t, redis) {
    const file = await dumpFile(t, redis)
    await restart(t, redis, () => rm(file, { force: true }))
  },
}

const restored: Fault = {
  name: 'restored from an older dump',
  losesSessions: false,
  async prepare(t, redis) {
    const file = await dumpFile(t, redis)
    await ask(t, redis, async (client) => {
      await client.set(ONLY_IN_DUMP, '1')
      await client.save()
      await client.del(ONLY_IN_DUMP)
    })
    await copyFile(file, `${file}.old`)
  },
  async strike(t, redis) {
    const file = await dumpFile(t, redis)
    t.equal(await ask(t, redis, (client) => client.exists(ONLY_IN_DUMP)), 0)
    await restart(t, redis, () => copyFile(`${file}.old`, file))
    t.equal(await ask(t, redis, (client) => client.exists(ONLY_IN_DUMP)), 1, 'it is the old data')
  },
}

const deleted: Fault = {
  name: 'the log deleted by another hand',
  losesSessions: false,
  prepare: nothing,
  async strike(t, redis) {
    const replies = await atOnce(t, redis, [
      ['del', LOG],
      ['exists', LOG, STATE],
    ])
    t.strictSame(replies, [1, 1], 'the log is gone, its state is not')
  },
}

const trimmed: Fault = {
  name: 'the log trimmed by another hand',
  losesSessions: false,
  prepare: nothing,
  async strike(t, redis) {
    const [before, , after] = await atOnce(t, redis, [
      ['xlen', LOG],
      ['xtrim', LOG, 'MAXLEN', '1'],
      ['xlen', LOG],
    ])
    t.ok(Number(before) > 1)
    t.equal(after, 1, 'only one entry is left')
  },
}

export const FAULTS: readonly Fault[] = [flushed, emptied, restored, deleted, trimmed]
