/**
 * With every fault switched off: all instances get leases, all revokes return in time, and new tokens are good
 * everywhere.
 */
import { leaseLapse } from '../../src/revocation/replica/revocation-log.js'
import { Violation } from './checker.js'
import type { Revocation } from './checker.js'
import { boot, lose, step } from './faults.js'
import type { World } from './world.js'

/** Some round trips, and the quarter of a lease until the next sync. */
const TRIPS = 350

export function checkProgress(world: World): void {
  const { server, checker } = world
  const lapse = leaseLapse(world.options.settings)
  calm(world)
  // What was under way times out first, and so does every lease of before a pause.
  world.run(world.t + 3_700)
  setClocks(world)
  // An epoch begins under everybody's eyes, and a revoke with it.
  if (world.options.onLostHistory === 'reject') lose(world, 'flush', server.data)
  else world.restart(server.data)
  const cold = revokeSomewhere(world)
  world.run(world.t + 2 * lapse + TRIPS)
  for (const node of world.alive)
    if (!node.isLeased)
      throw new Violation('stuck', `${node.id} has no lease: ${node.instance.state(node.now)}`)
  mustHaveReturned(cold, 2 * lapse + TRIPS)
  const warm = revokeSomewhere(world)
  world.run(world.t + 60)
  // Nobody who is dead is left to wait for.
  mustHaveReturned(warm, 60)
  if (server.data.state?.members.size !== world.alive.length)
    throw new Violation('stuck', 'somebody dead is still a member')
  const alive = new Set(world.alive.map(({ id }) => id))
  for (const { returnedAt, hasFailed, origin } of checker.revocations)
    if (returnedAt === undefined && !hasFailed && alive.has(origin))
      throw new Violation('stuck', 'a revoke neither returned nor failed')
}

function calm(world: World): void {
  world.note(() => 'faults are switched off')
  world.isCalm = true
  const { server } = world
  server.isUp = true
  Object.assign(server.replica, { isAttached: true, data: server.data, offset: server.offset })
  if (world.alive.length === 0) boot(world)
  for (const node of world.alive) {
    node.link = 'calm'
    node.server = server
  }
}

function setClocks(world: World): void {
  for (const node of world.alive) while (Math.abs(node.clocks.offset(world.t)) > 1_400) step(node)
}

function revokeSomewhere(world: World): Revocation | undefined {
  const node = world.random.pick(world.alive.filter(({ instance }) => instance.epoch !== ''))
  return node?.revoke([{ kind: 'jti', id: world.random.id(), before: 0, until: undefined, reason: '' }])
}

function mustHaveReturned(revocation: Revocation | undefined, within: number): void {
  if (revocation && revocation.returnedAt === undefined)
    throw new Violation('stuck', `a revoke of ${revocation.origin} hasn't returned within ${within} ms`)
}
