/** Schedules directed at one rule each, for those that chance doesn't find soon. With the rule they must hold, too. */
import type { OnLostHistory } from '../../src/revocation/replica/instance.js'
import { EVICTED } from '../../src/revocation/entry.js'
import { Violation } from './checker.js'
import { BEGINNING, DRIFT } from './clocks.js'
import { boot, jump, lose } from './faults.js'
import { begin, bySid } from './scenario-start.js'
import type { Scenario } from './scenario-start.js'

/** An instance whose clock is slow is cut off just when one whose clock is fast revokes. */
const margin: Scenario = (seed, switches = {}) => {
  const { world, nodes, tokens } = begin(seed, switches, { rates: [1 + DRIFT, 1 - DRIFT] })
  const [fast, slow] = nodes
  slow!.link = 'silent'
  fast!.revoke([bySid(tokens[0]!.sid)])
  for (let at = 850; at < 1_300; at += 5) world.after(at, () => slow!.request(tokens[0]!))
  world.run(world.t + 1_400)
  return world
}

/** Data are lost; survivors vouch for the time before; an instance that is new asks the log alone. */
const publish: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, {
    onLostHistory: 'heal',
    page: 1 + (seed % 3),
  })
  const snapshot = world.server.data
  for (const [i, token] of tokens.entries()) nodes[i]!.revoke([bySid(token.sid)])
  world.run(world.t + 400)
  lose(world, random.pick(['flush', 'empty', 'snapshot', 'log']), snapshot)
  world.after(random.between(0, 2_000), () => boot(world))
  world.run(world.t + 4_000)
  return world
}

/**
 * An older snapshot brings sessions back that had ended, and who knows of that takes longer than W to publish it. An
 * instance that comes meanwhile has nothing to publish itself.
 */
const published: Scenario = (seed, switches = {}) => {
  const { world, nodes, workload, random, tokens } = begin(seed, switches, { onLostHistory: 'heal', page: 1 })
  const [token] = tokens
  const snapshot = world.server.data
  const others = Array.from({ length: 15 }, () => bySid(random.id()))
  nodes[0]!.revoke([...others, bySid(token!.sid)])
  world.run(world.t + 600)
  for (const node of nodes) node.link = 'slow'
  lose(world, 'snapshot', snapshot)
  world.run(world.t + random.between(1_200, 1_500))
  const late = boot(world)
  for (let i = 0; i < 20; i += 1) world.after(i * 40, () => workload.mint(late, token!.sid))
  world.run(world.t + 3_000)
  return world
}

/** Data are lost, and nobody is left who knows what was revoked. */
const since: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, {})
  const snapshot = world.server.data
  nodes[0]!.revoke([bySid(tokens[0]!.sid)])
  world.run(world.t + 400)
  for (const node of nodes) node.crash()
  lose(world, random.pick(['flush', 'empty', 'snapshot', 'log']), snapshot)
  for (const _ of nodes) boot(world)
  world.run(world.t + 2_500)
  return world
}

/** The origin reads slowly, and its last entry stands behind many: everybody else has acknowledged long before. */
const own: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, { page: 1 })
  nodes[0]!.link = 'slow'
  const others = Array.from({ length: 10 }, () => bySid(random.id()))
  nodes[0]!.revoke([...others, bySid(tokens[0]!.sid)])
  world.run(world.t + 3_500)
  return world
}

/** The entries are lost before anybody has read them, also their origin. */
const restart: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, { onLostHistory: 'accept' })
  const snapshot = world.server.data
  nodes[1]!.link = nodes[2]!.link = 'silent'
  nodes[0]!.link = 'slow'
  nodes[0]!.revoke([bySid(tokens[0]!.sid)])
  while (world.server.data.log === snapshot.log) world.run(world.t + 1)
  lose(world, random.pick(['flush', 'empty', 'snapshot']), snapshot)
  nodes[1]!.link = nodes[2]!.link = 'calm'
  world.run(world.t + 4_000)
  return world
}

/** An instance boots into a settled epoch and is asked at once, while others revoke. */
const register: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, {})
  const late = boot(world)
  world.after(random.between(0, 5), () => nodes[0]!.revoke([bySid(tokens[0]!.sid)]))
  world.run(world.t + 8)
  late.link = 'silent'
  for (let i = 0; i < 20; i += 1) world.after(5 + i * 10, () => late.request(tokens[0]!))
  world.run(world.t + 500)
  return world
}

/** Somebody is taken for dead while it comes back; then another revokes, of whom it hears nothing. */
const version: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, {})
  const [first, second, lost] = nodes
  lost!.link = 'silent'
  first!.revoke([bySid(tokens[0]!.sid)])
  world.run(world.t + 700)
  first!.link = 'slow'
  lost!.link = 'calm'
  world.run(world.t + random.between(200, 700))
  lost!.link = 'silent'
  second!.revoke([bySid(tokens[1]!.sid)])
  world.run(world.t + 1_500)
  return world
}

/** A wall clock is ahead for a moment, for longer than anything is denied. */
const clock: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, {})
  nodes[0]!.revoke([bySid(tokens[0]!.sid)])
  world.run(world.t + 400)
  jump(nodes[1]!, 120_000, random.between(300, 900))
  for (let at = 0; at < 2_500; at += 50) world.after(at, () => nodes[1]!.request(tokens[0]!))
  world.run(world.t + 2_600)
  return world
}

/** A wall clock is set back to a time when a token was alive whose entry is forgotten since. */
const steps: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, {})
  const [token] = tokens
  const until = token!.exp * 1000 + 6_000
  nodes[0]!.revoke([{ kind: 'jti', id: token!.jti, before: 0, until, reason: '' }])
  world.run(until - BEGINNING + 1_000 + random.between(0, 250))
  jump(nodes[1]!, -30_000, 2_000)
  for (let at = 1; at < 1_000; at += 20) world.after(at, () => nodes[1]!.request(token!))
  world.run(world.t + 2_500)
  return world
}

/** One clock is ahead, another is behind, both within τ. */
const iat: Scenario = (seed, switches = {}) => {
  const { world, nodes, workload, random } = begin(seed, switches, {})
  const [ahead, behind] = nodes
  ahead!.clocks.step(1_300)
  behind!.clocks.step(-1_300)
  world.run(world.t + 1_500 + random.between(0, 1_000))
  for (let i = 0; i < 10; i += 1) {
    workload.mint(ahead!)
    world.run(world.t + 20)
    behind!.request(world.checker.tokens.at(-1)!)
    world.run(world.t + 80)
  }
  ahead!.revoke([bySid(world.checker.tokens.at(-1)!.sid)])
  world.run(world.t + 400)
  return world
}

/** All survivors hold what was lost: together they publish it about once. */
const shared: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, { onLostHistory: 'heal', page: 3 })
  const lost = [bySid(tokens[0]!.sid), ...Array.from({ length: 120 }, () => bySid(random.id()))]
  nodes[0]!.revoke(lost)
  world.run(world.t + 1_500)
  lose(world, random.pick(['flush', 'empty', 'log']), world.server.data)
  world.run(world.t + 4_000)
  const held = world.server.data.log?.rows.flatMap(({ entries }) => entries).length ?? 0
  if (held > 1.5 * lost.length)
    throw new Violation('grown', `the log holds ${held} entries for ${lost.length} that were lost`)
  for (const node of nodes) if (!node.isLeased) throw new Violation('stuck', `${node.id} has no lease`)
  return world
}

/** A failover; an old primary that was frozen runs again, and one instance is connected to it once more. */
const left: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, { onLostHistory: 'heal' })
  const old = world.server
  Object.assign(old.replica, { data: old.data, offset: old.offset })
  const next = world.promote()
  for (const node of nodes) node.server = next
  world.run(world.t + 2_500)
  for (const node of nodes) if (!node.isLeased) throw new Violation('stuck', `${node.id} has no lease`)
  world.strike('isolated primary')
  nodes[1]!.server = old
  world.run(world.t + random.between(0, 1_500))
  nodes[0]!.revoke([bySid(tokens[0]!.sid)])
  for (let at = 0; at < 3_000; at += 50) world.after(at, () => nodes[1]!.request(tokens[0]!))
  world.run(world.t + 3_000)
  return world
}

/** A session was evicted. Data are lost, and in the new epoch it is logged out before anybody has published the former. */
const mark: Scenario = (seed, switches = {}) => {
  const { world, nodes, random, tokens } = begin(seed, switches, { onLostHistory: 'heal' })
  const [token] = tokens
  nodes[0]!.revoke([{ ...bySid(token!.sid), before: EVICTED }])
  world.run(world.t + 600)
  lose(world, random.pick(['flush', 'empty', 'log']), world.server.data)
  nodes[1]!.revoke([bySid(token!.sid)])
  world.after(random.between(0, 2_000), () => boot(world))
  for (let at = 0; at < 4_000; at += 50) world.after(at, () => random.pick(world.alive)!.request(token!))
  world.run(world.t + 4_000)
  return world
}

/** By the rule that each is directed at. */
export const SCENARIOS = {
  margin,
  publish,
  published,
  since,
  own,
  restart,
  register,
  version,
  clock,
  steps,
  iat,
  shared,
  left,
  mark,
}

/**
 * Data are lost that nobody had revoked anything in; says how often an instance that is new then admits an older
 * token.
 */
export function admittedAfterLoss(seed: number, onLostHistory: OnLostHistory): number {
  const { world, tokens, random } = begin(seed, {}, { onLostHistory })
  const { counts } = world.checker
  lose(world, random.pick(['flush', 'empty', 'log', 'state']), world.server.data)
  const late = boot(world)
  world.run(world.t + 3_000)
  const before = counts.admitted
  for (const token of tokens) late.request(token)
  return counts.admitted - before
}
