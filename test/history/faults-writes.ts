/** A Redis that is up and refuses writes: its memory is full, or its user mayn't append to the log. */
import type { FaultKind, Rig } from './faults.js'
import { everywhereBy, hold, on } from './faults.js'

interface Refusing {
  readonly name: string
  readonly begin: readonly string[]
  readonly end: readonly string[]
  /** A command that must fail meanwhile. */
  readonly probe: readonly string[]
}

const MEMORY_FULL: Refusing = {
  name: 'memory full',
  begin: ['CONFIG', 'SET', 'maxmemory', '1'],
  end: ['CONFIG', 'SET', 'maxmemory', '0'],
  probe: ['SET', 'history-probe', '1'],
}

const NO_XADD: Refusing = {
  name: 'ACL without XADD',
  begin: ['ACL', 'SETUSER', 'default', '-xadd'],
  end: ['ACL', 'SETUSER', 'default', '+xadd'],
  probe: ['XADD', 'history-probe-log', '*', 'a', 'b'],
}

async function during({ store: { servers } }: Rig, fault: Refusing, work: () => Promise<unknown>) {
  const send = ([command, ...args]: readonly string[]) =>
    Promise.all(servers.map((server) => on(server, (client) => client.call(command!, ...args))))
  await send(fault.begin)
  try {
    const wasTaken = await send(fault.probe).then(
      () => true,
      (error: Error) => !/OOM|NOPERM|MOVED|READONLY/.test(error.message),
    )
    if (wasTaken) throw new Error(`${fault.name}: a write was taken`)
    await work()
  } finally {
    await send(fault.end)
  }
}

const held = (fault: Refusing): FaultKind => ({
  name: fault.name,
  weight: 2,
  run: (rig) => during(rig, fault, () => hold(rig, 300, 2_500)),
})

/** A logout fails between its two steps; then another session of the subject ends "everywhere". */
const halfEnded = (fault: Refusing): FaultKind => ({
  name: `logout with ${fault.name}`,
  weight: 2,
  async run(rig) {
    const { actor, random, subjects, gateways } = rig
    const sub = random.pick(subjects)!
    const at = () => random.below(gateways.length)
    const [first, second] = [await actor.login(at(), sub), await actor.login(at(), sub)]
    if (!first || !second) return
    await during(rig, fault, () => actor.logout(at(), first, { access: first.access[0]! }))
    await rig.settle()
    await everywhereBy(rig, second.access[0]!)
    await Promise.all(gateways.map(({ index }) => actor.guarded(index, first.access[0]!)))
  },
})

/** A Redis whose memory is full takes both steps of a logout. */
export const refusedWrites: readonly FaultKind[] = [held(MEMORY_FULL), held(NO_XADD), halfEnded(NO_XADD)]
