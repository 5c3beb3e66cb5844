/** Real proxies in front of gateways, as examples/ sets them up: only addresses are put in their place. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { soon } from './gateway-process.js'
import { freePort } from './redis.js'
import type { Scope } from './redis.js'

/** What stands behind a proxy. */
export interface Behind {
  /** Two gateways' URLs. */
  readonly gateways: readonly [string, string]
  /** The application's. */
  readonly app: string
}

/** Starts a proxy and gives its URL. It ends with the test, or with this process. */
export type StartProxy = (t: Scope, behind: Behind) => Promise<string>

export const startNginx: StartProxy = async (t, behind) => {
  const port = await freePort()
  const dir = await directory(t)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${name};`,
  )
  const config = await exampleOf('nginx/nginx.conf', {
    ...addresses(behind),
    'listen 8000;': `listen 127.0.0.1:${port};`,
    'http {': `http { access_log off; ${temporary.join(' ')}`,
  })
  const file = join(dir, 'nginx.conf')
  await writeFile(file, config)
  // One process, so that its end is the end of all.
  const globals = 'daemon off; master_process off; pid nginx.pid;'
  const command = process.env['TEST_NGINX_SERVER'] ?? 'nginx'
  return run(t, [command, '-p', dir, '-c', file, '-e', 'stderr', '-g', globals], dir, port)
}

export const startCaddy: StartProxy = async (t, behind) => {
  const port = await freePort()
  const dir = await directory(t)
  const site = await exampleOf('caddy/Caddyfile', {
    ...addresses(behind),
    ':8000 {': `:${port} {\n\tbind 127.0.0.1`,
  })
  const file = join(dir, 'Caddyfile')
  await writeFile(file, `{\n\tadmin off\n\tauto_https off\n}\n${site}`)
  const command = process.env['TEST_CADDY_SERVER'] ?? 'caddy'
  return run(t, [command, 'run', '--config', file, '--adapter', 'caddyfile'], dir, port)
}

function addresses({ gateways, app }: Behind): Record<string, string> {
  return {
    '127.0.0.1:3000': new URL(gateways[0]).host,
    '127.0.0.1:3001': new URL(gateways[1]).host,
    '127.0.0.1:8080': new URL(app).host,
  }
}

/** The tests run from the root of the checkout. */
async function exampleOf(file: string, replacements: Readonly<Record<string, string>>): Promise<string> {
  const text = await readFile(join(process.cwd(), 'examples', file), 'utf8')
  // In one pass: what was put in may look like what is to be replaced.
  const sought = Object.keys(replacements)
  for (const one of sought) if (!text.includes(one)) throw new Error(`${file} has no ${one}`)
  const pattern = new RegExp(sought.map((one) => one.replaceAll(/[.{]/g, '\\$&')).join('|'), 'g')
  return text.replaceAll(pattern, (found) => replacements[found]!)
}

async function directory(t: Scope): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-proxy-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** The shell's reader ends the server when our end of the pipe is gone, however that came. */
const LEASHED = `( read -r _ <&3 || kill -KILL $$ ) >/dev/null 2>&1 & exec "$@" 3<&-`

async function run(t: Scope, argv: readonly string[], dir: string, port: number): Promise<string> {
  const child = spawn('sh', ['-c', LEASHED, 'sh', ...argv], {
    cwd: dir,
    env: { PATH: process.env['PATH'], HOME: dir, XDG_CONFIG_HOME: dir, XDG_DATA_HOME: dir },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit')
  const hasExited = () => child.exitCode !== null || child.signalCode !== null
  const leash = child.stdio[3] as Socket
  leash.on('error', () => {})
  child.once('exit', () => leash.end('\n'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream!.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4000)))
  }
  t.teardown(async () => {
    if (!hasExited()) child.kill('SIGKILL')
    await exited
  })
  const url = `http://127.0.0.1:${port}`
  await soon(`${argv[0]} answers`, async () => {
    if (hasExited()) throw new Error(`${argv[0]} ended by itself:\n${output}`)
    const answer = await request(url, { headersTimeout: 5000 }).catch(() => undefined)
    return answer?.body.dump().then(() => true)
  })
  return url
}
