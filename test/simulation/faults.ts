/** What goes wrong: to instances, to their links and clocks, and to the server. */
import { Clocks, DRIFT } from './clocks.js'
import { Node } from './node.js'
import { EMPTY } from './server.js'
import type { Data, Server } from './server.js'
import type { Link, World } from './world.js'

/** Boots an instance whose clocks are wrong within what is allowed. */
export function boot(world: World, id = `i${world.nodes.length}-${world.random.id()}`): Node {
  const { random } = world
  const rate = random.chance(0.5) ? random.pick([1 - DRIFT, 1 + DRIFT]) : random.between(1 - DRIFT, 1 + DRIFT)
  const wallRate = 1 + random.between(-0.02, 0.02)
  const offset = random.between(-1_400, 1_400)
  // A wall clock that runs at a rate of its own is right again at its boot.
  const start = world.t * (1 - wallRate)
  return new Node(
    world,
    id,
    new Clocks({ rate, wallRate, offset: offset + start, origin: random.between(0, 1e6) }),
  )
}

/** A machine sleeps: its monotonic clock stands still, its wall clock goes on. */
export function suspend(node: Node, milliseconds: number): void {
  node.world.strike('suspend')
  node.pause(milliseconds)
  node.clocks.suspend(milliseconds)
}

/** A wall clock is set, within the tolerance. */
export function step(node: Node): void {
  const { world, clocks } = node
  world.strike('clock step')
  const target = world.random.between(-1_400, 1_400)
  const by = Math.max(-1_900, Math.min(1_900, target - clocks.offset(world.t)))
  world.note(() => `${node.id}'s clock steps by ${by.toFixed(0)} ms`)
  clocks.step(by)
}

/** A wall clock is wrong for a while, by more than τ, and then as it was: nothing may be forgotten by it. */
export function jump(node: Node, by: number, milliseconds: number): void {
  const { world, clocks } = node
  world.strike(by > 0 ? 'clock ahead' : 'clock behind')
  world.note(() => `${node.id}'s clock is ${by.toFixed(0)} ms off for ${milliseconds.toFixed(0)} ms`)
  clocks.step(by)
  world.after(milliseconds, () => clocks.step(-by))
}

export function disturb(node: Node, link: Link, milliseconds: number): void {
  const { world } = node
  world.note(() => `${node.id} is ${link} for ${milliseconds.toFixed(0)} ms`)
  world.strike(link)
  node.link = link
  world.after(milliseconds, () => {
    node.link = 'calm'
  })
}

export function crash(node: Node, downFor: number): void {
  node.world.strike('crash')
  node.crash()
  node.world.fault(downFor, () => boot(node.world))
}

/** The server is away for some time and comes back with everything (`appendfsync always`). */
export function restart(world: World, downFor: number): void {
  const { server } = world
  world.strike('restart')
  server.isUp = false
  world.after(downFor, () => {
    if (world.server !== server) return
    server.isUp = true
    world.restart(server.data)
  })
}

/** Each loses data, and is noticed by what it leaves. */
export const LOSSES = ['flush', 'empty', 'snapshot', 'log', 'state', 'trim', 'delete'] as const
export type Loss = (typeof LOSSES)[number]

export function lose(world: World, loss: Loss, snapshot: Data): void {
  const { server } = world
  const { data } = server
  world.note(() => `the server loses data: ${loss}`)
  if (server.data.log === snapshot.log && loss === 'snapshot') return
  world.strike(loss)
  if (loss === 'flush') server.data = EMPTY
  else if (loss === 'empty') world.restart(EMPTY)
  else if (loss === 'snapshot') world.restart(snapshot)
  else if (loss === 'log') server.data = { ...data, log: undefined }
  else if (loss === 'state') server.data = { ...data, state: undefined }
  else if (data.log && data.log.rows.length > 0) {
    const { rows, last } = data.log
    const gone = world.random.below(rows.length)
    const kept = loss === 'trim' ? rows.slice(gone + 1) : rows.toSpliced(gone, 1)
    server.data = { ...data, log: { rows: kept, last } }
  }
}

/** The replica takes over while the old primary lives on alone; the instances follow one by one. */
export function failOver(world: World, { isIsolated }: { isIsolated: boolean }): Server {
  const { random } = world
  const old = world.server
  const next = world.promote(random.between(-500, 500))
  if (isIsolated) world.strike('isolated primary')
  else old.isUp = false
  for (const node of world.alive) {
    if (node.server !== old) continue
    world.fault(random.between(0, isIsolated ? 4_000 : 1_500), () => {
      node.server = next
    })
  }
  world.after(random.between(100, 1_500), () => {
    Object.assign(next.replica, { isAttached: true, data: next.data, offset: next.offset })
  })
  return next
}

/** Nobody talks to the server for so long. */
export function sleep(world: World, milliseconds: number): void {
  world.strike('sleep')
  world.asleepUntil = world.t + milliseconds
  for (const node of world.alive) node.pause(milliseconds)
}
