/** Which core is whose: the server that is measured has one of its own, all else the rest. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isInstalled } from './programs.js'

export type Place = 'server' | 'rest'

/** Lists of cores as `taskset --cpu-list` takes them. */
export type Cores = Readonly<Record<Place, string>>

let chosen: { readonly cores: Cores | undefined } | undefined

/**
 * Undefined where nothing can be pinned: no taskset, or a single core. The same each time, as this process, once it is
 * pinned, sees fewer.
 */
export function chooseCores(): Cores | undefined {
  chosen ??= { cores: choose() }
  return chosen.cores
}

function choose(): Cores | undefined {
  if (process.platform !== 'linux' || !isInstalled('taskset')) return undefined
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  const allowed = list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
  // The last one: the first has most of the machine's interrupts.
  const server = allowed.pop()
  return server === undefined || allowed.length === 0
    ? undefined
    : { server: String(server), rest: allowed.join(',') }
}

/** The command line that runs `argv` in its place. taskset becomes the program: the process id is the program's. */
export function pinned(cores: Cores | undefined, place: Place, argv: readonly string[]): string[] {
  return cores ? ['taskset', '--cpu-list', cores[place], ...argv] : [...argv]
}

/** Moves this process, and so the load generator, off the server's core. */
export function pinSelf(cores: Cores | undefined): void {
  if (!cores) return
  const args = ['--all-tasks', '--pid', '--cpu-list', cores.rest, String(process.pid)]
  const { status } = spawnSync('taskset', args, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`taskset could not move the bench to core ${cores.rest}`)
}
