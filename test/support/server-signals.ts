import { randomBytes } from 'node:crypto'

/** What can be done to a running server. `kill` and `thaw` work on a frozen one too. */
export type Deed = 'freeze' | 'thaw' | 'kill' | 'terminate'

/** How one Redis is run: as a plain process, or in a Docker container. */
export interface Means {
  /** The command line that runs the server in the foreground. */
  argv(dir: string, serverArgs: readonly string[]): string[]
  /** The line of shell that does it; `pid` is the process of `argv`. */
  line(deed: Deed, pid: number | '$$'): string
}

/** A fresh one for each start: as `npm test` said in the environment; by hand, `redis-server` on PATH. */
export function means(): Means {
  const image = process.env['TEST_REDIS_DOCKER']
  return image ? container(image) : plainProcess(process.env['TEST_REDIS_SERVER'] ?? 'redis-server')
}

const SIGNALS: Record<Deed, string> = { freeze: 'STOP', thaw: 'CONT', kill: 'KILL', terminate: 'TERM' }

function plainProcess(command: string): Means {
  return {
    argv: (_dir, serverArgs) => [command, ...serverArgs],
    line: (deed, pid) => `kill -${SIGNALS[deed]} ${pid}`,
  }
}

const DOCKER: Record<Deed, string> = {
  freeze: 'pause',
  thaw: 'unpause',
  kill: 'rm --force',
  terminate: 'stop',
}

/** On the host's network: ports, and the addresses that cluster nodes tell each other, are as for a plain process. */
function container(image: string): Means {
  const name = `portcullis-test-${randomBytes(6).toString('hex')}`
  const user = `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`
  const run = `docker run --rm --name ${name} --network host --user ${user}`.split(' ')
  return {
    argv: (dir, serverArgs) => [...run, '--volume', `${dir}:${dir}`, image, 'redis-server', ...serverArgs],
    line: (deed) => `docker ${DOCKER[deed]} ${name}`,
  }
}
