/** Reads the CPU time and memory of processes and their children (nginx and HAProxy have workers). */
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import type { ServerProcess } from './processes.js'

export interface Usage {
  /** User and system time since the start of the process. */
  readonly cpuMicroseconds: number
  /** Current resident memory. Pages that processes share count for each of them. */
  readonly rssBytes: number
}

/** Linux counts in units of USER_HZ, which is 100 on every architecture that Node supports. */
const TICK_MICROSECONDS = 10_000

export async function usageOf(servers: readonly ServerProcess[]): Promise<Usage> {
  const each = process.platform === 'linux' ? fromProc(servers) : await Promise.all(servers.map(byMessage))
  return {
    cpuMicroseconds: each.reduce((sum, one) => sum + one.cpuMicroseconds, 0),
    rssBytes: each.reduce((sum, one) => sum + one.rssBytes, 0),
  }
}

interface ProcessRecord extends Usage {
  readonly pid: number
  readonly parent: number
}

function fromProc(servers: readonly ServerProcess[]): ProcessRecord[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(readProcess)
    .filter((one) => one !== undefined)
  const family = new Set(servers.map(({ pid }) => pid))
  // A child may be listed before its parent, so the search is repeated until it finds no new process.
  for (let size = 0; size !== family.size;) {
    size = family.size
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid)
  }
  return all.filter(({ pid }) => family.has(pid))
}

/** Reads `/proc`. In `stat`, utime and stime are fields 14 and 15. The name, field 2, may contain any character. */
function readProcess(name: string): ProcessRecord | undefined {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [parent, user, system] = [Number(fields[1]), Number(fields[11]), Number(fields[12])]
    const kilobytes = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1] ?? '0'
    return {
      pid: Number(name),
      parent,
      cpuMicroseconds: (user + system) * TICK_MICROSECONDS,
      rssBytes: Number(kilobytes) * 1024,
    }
  } catch {
    return undefined // The process has ended.
  }
}

/** Requests the usage from the process itself (probe.ts), for systems without `/proc`. */
async function byMessage({ child }: ServerProcess): Promise<Usage> {
  const reply = once(child, 'message') as Promise<[Usage]>
  child.send('usage')
  return (await reply)[0]
}
