/** Assigns cores to processes. The measured server has its own core, and everything else shares the others. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isInstalled } from './programs.js'

export type Place = 'server' | 'rest'

/** Lists of cores in the format of `taskset --cpu-list`. */
export type Cores = Readonly<Record<Place, string>>

let chosen: { readonly cores: Cores | undefined } | undefined

/**
 * Returns the cores, or `undefined` if nothing can be pinned, because there is no taskset or only one core. The first
 * result is kept, because this process sees fewer cores once it is pinned.
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
  // The last core, because the first handles most of the machine's interrupts.
  const server = allowed.pop()
  return server === undefined || allowed.length === 0
    ? undefined
    : { server: String(server), rest: allowed.join(',') }
}

/** Returns the command line that runs `argv` on its cores. taskset calls exec, so its process id is the program's. */
export function pinned(cores: Cores | undefined, place: Place, argv: readonly string[]): string[] {
  return cores ? ['taskset', '--cpu-list', cores[place], ...argv] : [...argv]
}

/** Moves this process, and with it the load generator, off the server's core. */
export function pinSelf(cores: Cores | undefined): void {
  if (!cores) return
  const args = ['--all-tasks', '--pid', '--cpu-list', cores.rest, String(process.pid)]
  const { status } = spawnSync('taskset', args, { stdio: 'ignore' })
  if (status !== 0) throw new Error(`taskset could not move the bench to core ${cores.rest}`)
}
