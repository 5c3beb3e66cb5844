/** Schedules directed at one rule of the ends of sessions each. With the rule they must hold, too. */
import { Violation } from './checker.js'
import { Clocks } from './clocks.js'
import { boot, lose } from './faults.js'
import { Node } from './node.js'
import { Random } from './random.js'
import type { Switches } from './schedule.js'
import { SessionClients } from './session-clients.js'
import type { ClientSession } from './session-clients.js'
import type { AnySessionRule } from './rules.js'
import { leaveIndex } from './sessions.js'
import { World } from './world.js'
import type { WorldOptions } from './world.js'

export type SessionScenario = (seed: number, switches?: Switches) => Promise<World>

/** Three instances with a lease, and two sessions of one subject. */
async function begin(seed: number, switches: Switches, options: Partial<WorldOptions> = {}) {
  const settings = { lease: 1_000, horizon: 60_000, tolerance: 2_000, leeway: 0 }
  const random = new Random(seed)
  const world = new World({ random, settings, onLostHistory: 'heal', page: 100, ...switches, ...options })
  const nodes = [0, 1, 2].map((i) => new Node(world, `i${i}`, new Clocks()))
  const clients = new SessionClients(world)
  await world.play(1_700)
  for (const node of nodes.slice(0, 2)) clients.login(node, 'anna')
  await world.play(1_900 + random.between(0, 300))
  const [first, second] = clients.sessions as [ClientSession, ClientSession]
  return { world, nodes: nodes as [Node, Node, Node], clients, first, second, random }
}

/** An end that stops between its two steps: it has ended the record, and its instance reaches Redis no more. */
async function halfEnd(start: Awaited<ReturnType<typeof begin>>): Promise<void> {
  const { world, nodes, clients, first, random } = start
  const [node] = nodes
  const isCrash = random.chance(0.5)
  clients.end(node, first, {
    onEnded: () => {
      world.strike('half-ended')
      if (isCrash) node.crash()
      else node.link = 'cut'
    },
  })
  await world.play(world.t + random.between(20, 500))
  if (node.isAlive) node.link = 'calm'
}

function mustBeAdmitted(node: Node, { sid }: ClientSession): void {
  for (const token of node.world.checker.tokens)
    if (token.sid === sid && node.instance.decide(token, node.now).kind !== 'admitted')
      throw new Violation('denied', `${node.id} doesn't admit ${token.jti}, whose session was to stay`)
}

/** "Everywhere" after an end that stopped half-way: its tokens were good until then. */
const afterHalfEnd: SessionScenario = async (seed, switches = {}) => {
  const start = await begin(seed, switches)
  const { world, nodes, clients, second, random } = start
  await halfEnd(start)
  const keepsSecond = random.chance(0.3)
  clients.everywhere(nodes[1], 'anna', keepsSecond ? { except: second.sid } : { own: second.sid })
  await world.play(world.t + 1_500)
  if (keepsSecond) mustBeAdmitted(nodes[1], second)
  return world
}

/** The caller's session is lost without an epoch that shows it: an eviction, or a clock that prunes too early. */
const ownLost: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, first } = await begin(seed, switches)
  const { server } = world
  const records = new Map(server.data.sessions.records)
  const kept = { ...server.data, sessions: { ...server.data.sessions, records } }
  records.delete(first.sid)
  server.data = kept
  server.onSessions(leaveIndex('anna', [first.sid]), world.t)
  clients.everywhere(nodes[2], 'anna', { own: first.sid })
  await world.play(world.t + 1_500)
  return world
}

/** "Everywhere" comes between the two writes of a login, and another much later, when what was revoked is forgotten. */
const loginUnderWay: SessionScenario = async (seed, switches = {}) => {
  const settings = { lease: 1_000, horizon: 3_000, tolerance: 2_000, leeway: 0 }
  const { world, nodes, clients, random } = await begin(seed, switches, { settings })
  nodes[0].link = 'slow'
  const late: ClientSession[] = []
  clients.login(nodes[0], 'anna', (session) => late.push(session))
  await world.play(world.t + random.between(30, 300))
  clients.everywhere(nodes[1], 'anna')
  await world.play(world.t + 11_000)
  nodes[0].link = 'calm'
  for (const session of late) clients.refresh(nodes[2], session)
  await world.play(world.t + 500)
  clients.everywhere(nodes[1], 'anna')
  await world.play(world.t + 1_000)
  return world
}

/** Records and index are lost, and survivors vouch for the tokens. */
const recordsLost: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, second, random } = await begin(seed, switches, {
    onLostHistory: seed % 2 === 0 ? 'heal' : 'accept',
  })
  const own = random.pick([{ own: second.sid }, {}])
  lose(world, random.pick(['flush', 'empty']), world.server.data)
  await world.play(world.t + random.between(0, 3_000))
  clients.everywhere(nodes[2], 'anna', own)
  await world.play(world.t + 4_000)
  return world
}

/** Data are lost with `reject`: for a moment, others still have leases that know nothing of it. */
const oldLeases: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, random } = await begin(seed, switches, { onLostHistory: 'reject' })
  for (const node of nodes.slice(1)) node.link = 'silent'
  lose(world, random.pick(['flush', 'empty']), world.server.data)
  clients.everywhere(nodes[0], 'anna')
  await world.play(world.t + 1_500)
  for (const node of nodes) node.link = 'calm'
  await world.play(world.t + 3_000)
  return world
}

/** The data are lost between the two writes of a login: its index is gone, its record isn't. */
const lossUnderLogin: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, random } = await begin(seed, switches)
  nodes[0].link = 'slow'
  const late: ClientSession[] = []
  clients.login(nodes[0], 'anna', (session) => late.push(session))
  await world.play(world.t + random.between(30, 240))
  lose(world, 'flush', world.server.data)
  await world.play(world.t + 500)
  nodes[0].link = 'calm'
  await world.play(world.t + 4_000)
  for (const session of late) clients.refresh(nodes[1], session)
  await world.play(world.t + 1_000)
  clients.everywhere(nodes[2], 'anna')
  await world.play(world.t + 1_500)
  return world
}

/**
 * A login on a primary that is cut off, at an instance whose clock is ahead: its lease outlives the beginning of the
 * next epoch for a moment.
 */
const lateLogin: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, random } = await begin(seed, switches, { waits: true })
  const old = world.server
  nodes[0].clocks.step(1_900)
  await world.play(world.t + random.between(1_000, 2_000))
  old.replica.isAttached = false
  const next = world.promote()
  Object.assign(next.replica, { isAttached: true, data: next.data, offset: next.offset })
  for (const node of nodes.slice(1)) node.server = next
  world.after(random.between(500, 950), () => clients.login(nodes[0], 'anna'))
  await world.play(world.t + 3_000)
  nodes[0].server = next
  clients.everywhere(nodes[1], 'anna')
  await world.play(world.t + 1_500)
  return world
}

/** An older dump brings an ended session back, and no instance is left that knows of its end. */
const revived: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, first, random } = await begin(seed, switches, { onLostHistory: 'reject' })
  const snapshot = world.server.data
  clients.end(nodes[0], first)
  await world.play(world.t + random.between(400, 900))
  for (const node of nodes) node.crash()
  lose(world, 'snapshot', snapshot)
  const node = boot(world)
  await world.play(world.t + 2_500)
  clients.refresh(node, first)
  await world.play(world.t + 1_500)
  return world
}

/** A logout waits for an instance that is cut off. Meanwhile it is repeated at an instance that has its entry. */
const repeatedEnd: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, first, random } = await begin(seed, switches)
  nodes[2].link = 'silent'
  clients.end(nodes[0], first)
  await world.play(world.t + random.between(30, 300))
  clients.end(nodes[1], first)
  await world.play(world.t + 2_500)
  return world
}

/** By the rule that each is directed at. */
/** A code is exchanged while "everywhere" is between its read of the index and its ends of the records. */
const racingExchange: SessionScenario = async (seed, switches = {}) => {
  const { world, nodes, clients, first, second, random } = await begin(seed, switches)
  nodes[1].link = random.pick(['slow', 'calm'])
  clients.everywhere(nodes[1], 'anna', random.pick([{ own: second.sid }, {}]))
  for (let i = 0; i < 6; i += 1) {
    await world.play(world.t + random.between(0, 60))
    clients.exchange(random.pick([nodes[0], nodes[2]]), random.pick([first, second]))
  }
  await world.play(world.t + 1_500)
  for (const token of world.checker.condemned) for (const node of nodes) node.judge(token)
  // A slow one may have failed.
  nodes[1].link = 'calm'
  clients.everywhere(nodes[1], 'anna')
  await world.play(world.t + 1_500)
  return world
}

export const SESSION_SCENARIOS: Readonly<Record<AnySessionRule, SessionScenario>> = {
  unindex: afterHalfEnd,
  half: afterHalfEnd,
  own: ownLost,
  tombstone: loginUnderWay,
  lost: recordsLost,
  wait: oldLeases,
  reindex: lossUnderLogin,
  trust: revived,
  repeat: repeatedEnd,
  birth: lateLogin,
  orphans: racingExchange,
}
