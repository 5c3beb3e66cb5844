import { randomBytes } from 'node:crypto'
import type { UnixMs } from '../../clock.js'
import { storeUnavailable } from '../../errors.js'
import type { Keys } from '../../redis/keys.js'
import { LOG_SCRIPTS } from './log-scripts.js'
import type { RedisClient } from '../../redis/redis-client.js'
import { formatMany, formatPosition, parsePosition, parseRow, toKeyId } from '../entry.js'
import type { DenylistEntry } from '../entry.js'
import { entryGrace } from './revocation-log.js'
import type { NewEntry } from '../entry.js'
import type {
  LogSettings,
  Member,
  RevocationLog,
  RevokeReply,
  SyncReply,
  SyncRequest,
} from './revocation-log.js'

type Argument = string | number
type Command = 'portcullisSyncBuffer' | 'portcullisRevoke' | 'portcullisPublish' | 'portcullisDeny'
type RunScript = (...args: Argument[]) => Promise<unknown>
/** The part of an ioredis pipeline that is used here. Scripts of a client are also methods of its pipelines. */
type Pipeline = Record<'portcullisSyncBuffer', (...args: Argument[]) => Pipeline> & {
  wait(replicas: number, timeout: number): Pipeline
  exec(): Promise<[Error | null, unknown][] | null>
}

export interface RedisLogSettings extends LogSettings {
  /** The number of Redis replicas that must have all data before a sync may grant a lease or close a barrier. */
  readonly waitReplicas: number
}

/** The revocation log in Redis. It needs a connection of its own, so that no other command delays a sync. */
export class RedisLog implements RevocationLog {
  readonly #redis: RedisClient
  readonly #keys: Keys
  readonly #settings: RedisLogSettings
  readonly #commands: Record<Command, RunScript>

  constructor(redis: RedisClient, keys: Keys, settings: RedisLogSettings) {
    this.#redis = redis
    this.#keys = keys
    this.#settings = settings
    for (const [name, lua] of Object.entries(LOG_SCRIPTS)) redis.defineCommand(name, { lua })
    this.#commands = redis as unknown as Record<Command, RunScript>
  }

  async sync(request: SyncRequest, wall: UnixMs): Promise<SyncReply> {
    const { instance, epoch, applied, count, settle, vouch, who, dead } = request
    const args = [
      2,
      this.#keys.logState,
      this.#keys.log,
      ...this.#common(wall),
      instance,
      epoch,
      formatPosition(applied),
      count,
      settle ? '1' : '',
      vouch ? vouch.since : '',
      vouch ? vouch.epochPrefixes.join('') : '',
      who ? '1' : '',
      ...dead.flatMap(({ id, version }) => [id, version]),
    ]
    try {
      return await this.#runSync(args)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async #runSync(args: Argument[]): Promise<SyncReply> {
    const { waitReplicas, lease } = this.#settings
    if (waitReplicas === 0)
      return toReply(await this.#commands.portcullisSyncBuffer.apply(this.#redis, args), true)
    // WAIT must follow on the same connection, because it covers only the writes of its own connection.
    const pipeline = this.#redis.pipeline() as unknown as Pipeline
    const replies = await pipeline
      .portcullisSyncBuffer(...args)
      .wait(waitReplicas, Math.floor(lease / 4))
      .exec()
    const [synced, waited] = replies ?? []
    const error = synced?.[0] ?? waited?.[0]
    if (!synced || !waited || error) throw error ?? new Error('the pipeline was dropped')
    return toReply(synced[1], Number(waited[1]) >= waitReplicas)
  }

  async revoke(entries: readonly NewEntry[], wall: UnixMs): Promise<RevokeReply> {
    try {
      const reply = await this.#commands.portcullisRevoke.call(
        this.#redis,
        2 + entries.length,
        this.#keys.logState,
        this.#keys.log,
        ...entries.map(({ kind, id }) => this.#keys.deny(kind, id)),
        ...this.#common(wall),
        ...entries.flatMap(({ kind, id, before, until, reason }) => [
          kind,
          id,
          before ?? 0,
          until ?? '',
          reason ?? '',
        ]),
      )
      return toWritten(reply)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async publish(entries: readonly DenylistEntry[], wall: UnixMs): Promise<RevokeReply> {
    const latest = entries.reduce((most, { until }) => Math.max(most, until), 0)
    try {
      const reply = await this.#commands.portcullisPublish.call(
        this.#redis,
        2,
        this.#keys.logState,
        this.#keys.log,
        ...this.#common(wall),
        latest,
        formatMany(entries),
      )
      return toWritten(reply)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async deny(entries: readonly DenylistEntry[], reason: string): Promise<void> {
    try {
      await this.#commands.portcullisDeny.call(
        this.#redis,
        entries.length,
        ...entries.map((entry) => this.#keys.deny(entry.kind, toKeyId(entry))),
        this.#settings.horizon + entryGrace(this.#settings),
        reason,
        ...entries.flatMap(({ before, until }) => [before, until]),
      )
    } catch (error) {
      throw storeUnavailable(error)
    }
  }

  async leave(instance: string): Promise<void> {
    await this.#redis.hdel(this.#keys.logState, `m:${instance}`)
  }

  #common(wall: UnixMs): Argument[] {
    const { horizon, tolerance } = this.#settings
    // The name of the new epoch, if the script starts one: 12 characters, of which the first 8 are its jti prefix.
    const nonce = randomBytes(9).toString('base64url')
    return [Math.round(wall), nonce, tolerance, horizon + entryGrace(this.#settings)]
  }
}

type RawReply = [
  epoch: Buffer,
  settled: Buffer,
  since: Buffer,
  epochPrefixes: Buffer,
  time: Buffer,
  last: Buffer,
  more: number,
  texts: Buffer[],
  members: Buffer[],
]

function toReply(raw: unknown, waitOk: boolean): SyncReply {
  const [epoch, settled, since, epochPrefixes, time, last, more, texts, members] = raw as RawReply
  return {
    epoch: String(epoch),
    settled: String(settled) === '1',
    since: Number(String(since)),
    epochPrefixes: String(epochPrefixes).match(/.{8}/g) ?? [],
    time: Number(String(time)),
    entries: texts.flatMap(parseRow),
    last: last.length === 0 ? undefined : parsePosition(String(last)),
    more: more === 1,
    members: toMembers(members.map(String)),
    waitOk,
  }
}

function toWritten(reply: unknown): RevokeReply {
  const [epoch, last, members] = reply as [string, string, string[]]
  return { epoch, position: parsePosition(last), members: toMembers(members) }
}

function toMembers(flat: readonly string[]): Member[] {
  const members: Member[] = []
  for (let i = 0; i < flat.length; i += 3) {
    members.push({
      id: flat[i]!,
      version: Number(flat[i + 1]),
      applied: parsePosition(flat[i + 2]!),
    })
  }
  return members
}
