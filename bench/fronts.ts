/** HAProxy and nginx in front of three gateways, with the configurations of `examples/` on free ports. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { soon } from '../test/support/gateway-process.js'
import { freePort } from '../test/support/redis.js'
import type { Scope } from '../test/support/redis.js'
import { findProgram } from './programs.js'

/** Starts a load balancer, and returns its URL. The scope ends it. */
type StartFront = (scope: Scope, ports: readonly number[]) => Promise<string>

export const startHaproxy: StartFront = async (scope, ports) => {
  const { port, file } = await configure(scope, 'haproxy/haproxy.cfg', ports, {
    'bind :8000': (own) => `bind 127.0.0.1:${own}`,
  })
  return run(scope, [program('haproxy'), '-db', '-f', file], port)
}

export const startNginx: StartFront = async (scope, ports) => {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${name};`,
  )
  const { port, file, directory } = await configure(scope, 'nginx/upstreams.conf', ports, {
    'listen 8000;': (own) => `listen 127.0.0.1:${own};`,
    'http {': () => `http { access_log off; ${temporary.join(' ')}`,
  })
  // A single process, so that killing it leaves no workers.
  const globals = 'daemon off; master_process off; pid nginx.pid;'
  return run(scope, [program('nginx'), '-p', directory, '-c', file, '-e', 'stderr', '-g', globals], port)
}

function program(name: string): string {
  const found = findProgram(name)
  if (found === undefined) throw new Error(`${name} isn't installed (Debian: apt-get install ${name})`)
  return found
}

async function configure(
  scope: Scope,
  example: string,
  ports: readonly number[],
  replacements: Record<string, (own: number) => string>,
) {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-front-'))
  scope.teardown(() => rm(directory, { recursive: true, force: true }))
  let text = await readFile(join('examples', example), 'utf8')
  const all = Object.entries(replacements).map(([old, to]) => [old, to(port)] as const)
  for (const [at, one] of ports.entries()) all.push([`127.0.0.1:${3000 + at}`, `127.0.0.1:${one}`])
  for (const [old, to] of all) {
    if (!text.includes(old)) throw new Error(`examples/${example} has no “${old}”`)
    text = text.replace(old, to)
  }
  const file = join(directory, 'front.conf')
  await writeFile(file, text)
  return { port, file, directory }
}

async function run(scope: Scope, [command, ...args]: string[], port: number): Promise<string> {
  const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  scope.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  await soon(`${command} listens`, () => {
    if (child.exitCode !== null) throw new Error(`${command} ended by itself`)
    return canConnect(port)
  })
  return `http://127.0.0.1:${port}`
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.once('connect', () => void [socket.destroy(), resolve(true)])
    socket.once('error', () => resolve(false))
  })
}
