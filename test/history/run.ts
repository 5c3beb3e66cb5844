/** One run: starts a deployment, lets clients and faults at it for a while, and checks the history. */
import { hash } from '@node-rs/bcrypt'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import type { Scope } from '../support/redis.js'
import { Random } from '../simulation/random.js'
import { Actor, PASSWORD, PASSWORD_PATH } from './actor.js'
import { Book } from './book.js'
import { check } from './checker.js'
import type { Findings } from './checker.js'
import { Client } from './client.js'
import type { Rig } from './faults.js'
import { createGateway } from './gateway.js'
import type { Gateway } from './gateway.js'
import type { Fault, History, Operation } from './history.js'
import type { Mix } from './mixes.js'
import { runNemesis, untilReady } from './nemesis.js'
import { startStore } from './store.js'
import type { Store } from './store.js'

export interface RunOptions {
  readonly mix: Mix
  readonly seed: number
  readonly milliseconds: number
  /** Mean pause of a client between two operations, in ms. */
  readonly pause?: number
  readonly clients?: number
  readonly calm?: readonly [number, number]
  readonly say?: (line: string) => void
}

export interface Outcome extends Findings {
  readonly history: History
}

const SUBJECTS = ['u0', 'u1', 'u2', 'u3', 'u4', 'u5']
const GRACE_MILLISECONDS = 3_000
/** Ended tokens that are tried once more at the end, on every instance. */
const LAST_SWEEP = 150

export async function run(options: RunOptions): Promise<Outcome> {
  const endings: (() => void | Promise<void>)[] = []
  try {
    return await runIn({ teardown: (end) => endings.push(end) }, options)
  } finally {
    for (const end of endings.toReversed()) await end()
  }
}

async function runIn(t: Scope, options: RunOptions): Promise<Outcome> {
  const { mix, seed, milliseconds, pause = 70, clients = 12, calm = [1_000, 5_000], say = () => {} } = options
  const store = await startStore(t, mix.topology, mix.gateways)
  const gateways = await startGateways(t, mix, store)
  const origin = Date.now() - performance.now()
  const history: History & { operations: Operation[]; faults: Fault[] } = {
    operations: [],
    faults: [],
    origin,
  }
  const { operations } = history
  const dispatcher = new Agent(mix.isSpread ? { pipelining: 0 } : {})
  t.teardown(() => dispatcher.destroy())
  const book = new Book()
  const stage = { gateways, operations, book, dispatcher }
  const actor = new Actor('nemesis', stage)
  const random = new Random(seed)
  const settle = () => untilReady(gateways)
  const rig: Rig = { gateways, store, actor, book, subjects: SUBJECTS, random, settle }

  const [stopping, calming] = [new AbortController(), new AbortController()]
  t.teardown(() => {
    calming.abort()
    stopping.abort()
  })
  const running = Array.from({ length: clients }, (_, i) =>
    new Client({
      actor: new Actor(`c${i}`, stage),
      random: new Random(seed * 1_000 + i + 1),
      book,
      sub: SUBJECTS[i % SUBJECTS.length]!,
      instances: gateways.length,
      pause,
      grace: GRACE_MILLISECONDS,
    }).run(stopping.signal),
  )
  const nemesis = runNemesis({ rig, faults: mix.faults, history, calm, say }, calming.signal)
  // A fault of the program ends the run, rather than be waited for.
  const failed = Promise.all([nemesis, ...running])
  await Promise.race([failed, sleep(milliseconds * (mix.endsWithKid ? 0.8 : 1))])
  if (mix.endsWithKid) await Promise.race([failed, endWithKid(gateways, actor, milliseconds / 5)])
  calming.abort()
  await Promise.race([failed, nemesis.then(() => sleep(2_000))])
  stopping.abort()
  await failed
  await sweep(rig)
  const allowances = { ...mix.allowances, grace: GRACE_MILLISECONDS }
  return { history, ...check(history, allowances) }
}

async function startGateways(t: Scope, { settings, gateways: count }: Mix, store: Store): Promise<Gateway[]> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-history-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const lines = SUBJECTS.map(async (name) => `${name}:${await hash(PASSWORD, 4)}\n`)
  await writeFile(join(directory, 'users.htpasswd'), (await Promise.all(lines)).join(''))
  const upstream = await startUpstream(t)
  const shared = {
    // Long enough for a run's sessions, shorter than a clock that leaps.
    tokens: { access: '15m', reuseGrace: `${GRACE_MILLISECONDS}ms` },
    sessions: { perSubject: 0 },
    rateLimit: {
      login: { perAccount: { successes: 1_000_000 }, perAddress: { successes: 1_000_000 } },
      refresh: { perAddress: { max: 1_000_000 } },
    },
    routes: [
      { path: '/', upstream },
      { path: PASSWORD_PATH, upstream, onSuccess: 'end-all-sessions' },
    ],
    ...settings,
  }
  const creating = store.urls.map((url, index) =>
    createGateway(t, { index, directory, settings: { ...shared, store: url } }),
  )
  const gateways = (await Promise.all(creating)).slice(0, count)
  // The first one makes the key.
  await gateways[0]!.start()
  await Promise.all(gateways.map((gateway) => gateway.start()))
  const late = await untilReady(gateways)
  if (late.length > 0) throw new Error(`not ready after the start:\n${late[0]!.output()}`)
  return gateways
}

/** Says 200 to everything. */
async function startUpstream(t: Scope): Promise<string> {
  const server = createServer((incoming, response) => {
    incoming.resume().once('end', () => response.end('from the upstream'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function endWithKid(gateways: readonly Gateway[], actor: Actor, milliseconds: number): Promise<void> {
  const response = await fetch(`${gateways[0]!.url}/.well-known/jwks.json`)
  const { keys } = (await response.json()) as { keys: { kid: string }[] }
  await actor.revoke(0, { kind: 'kid', kid: keys[0]!.kid })
  await sleep(milliseconds)
}

/** All that ended lately, once more, when everything is calm. */
async function sweep({ book, actor, gateways, settle }: Rig): Promise<void> {
  await settle()
  for (const held of book.lastEnded(LAST_SWEEP))
    for (const { index } of gateways) await actor.guarded(index, held)
}
