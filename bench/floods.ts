/**
 * Measures what a user and an operator notice of floods: the time of guarded requests, logins and revokes, without a
 * flood and during each. Gateway, flood and measurement are processes of their own. The flood comes from 127.0.0.1, the
 * user from 127.0.0.2. Run it with `npm run bench -- floods` (FLOOD_SECONDS=5). The exit code is 1 if a request of the user or
 * the operator fails.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'undici'
import { hashPassword } from '../src/login/users-file.js'
import {
  USERS,
  call,
  home,
  logIn,
  serveGateway,
  soon,
  startUpstream,
} from '../test/support/gateway-process.js'
import { startRedis } from '../test/support/redis.js'
import { spreadOf } from './statistics.js'

const SECONDS = Number(process.env['FLOOD_SECONDS'] ?? 5)
const OPEN_FILES = 1_024
const FLOODS = ['slow bodies', 'idle sockets', 'handshakes', 'wrong signatures', 'good logins of one user']
const CLIENT = fileURLToPath(new URL('./flood-client.js', import.meta.url))
const ADMIN_TOKEN = 'the-token-of-the-operator-in-this-bench'

interface Times {
  readonly guarded: number[]
  readonly logins: number[]
  readonly revokes: number[]
  readonly failures: string[]
}

const ends: (() => void | Promise<void>)[] = []
const scope = { teardown: (end: () => void | Promise<void>) => ends.unshift(end) }
try {
  await run()
} finally {
  for (const end of ends) await end()
}

async function run(): Promise<void> {
  const directory = await home(scope)
  const users = join(directory, 'argon2id')
  const lines = Object.entries(USERS).map(
    async ([name, password]) => `${name}:${await hashPassword(password)}\n`,
  )
  await writeFile(users, (await Promise.all(lines)).join(''))
  const upstream = (await startUpstream(scope)).url
  const settings = {
    store: (await startRedis(scope)).url,
    keys: { algorithm: 'ES512', dir: join(directory, 'keys') },
    login: { users },
    admin: { host: '127.0.0.1', port: 0, token: ADMIN_TOKEN },
    routes: [
      { path: '/open', upstream, auth: 'none' },
      { path: '/', upstream },
    ],
  }
  const gateway = await serveGateway(scope, settings, directory, {}, OPEN_FILES)
  const isReady = async () => (await call(gateway.url, 'GET', '/readyz')).status === 200
  await soon('the gateway is ready', isReady)
  const { access_token: token } = await logIn(gateway.url)
  const client = new Client(gateway.url, { localAddress: '127.0.0.2' })
  const measure = () => measureFor(SECONDS, client, { token, adminUrl: gateway.adminUrl! })

  await measure()
  for (const flood of FLOODS) {
    // Measured again before each flood, because the other load of the machine may have changed.
    const quiet = await measure()
    print('none', 0, quiet, quiet)
    const args = [CLIENT, flood, new URL(gateway.url).port, String(SECONDS + 3)]
    const child = spawn(process.execPath, args, { env: { ...process.env, FLOOD_TOKEN: token } })
    child.stderr.pipe(process.stderr)
    const sent = text(child.stdout)
    await sleep(1_500)
    const times = await measure()
    if (child.exitCode === null) await once(child, 'exit')
    print(flood, Number(await sent), times, quiet)
    await sleep(1_000)
  }
  await client.close()
}

async function measureFor(
  seconds: number,
  client: Client,
  { token, adminUrl }: { token: string; adminUrl: string },
): Promise<Times> {
  const times: Times = { guarded: [], logins: [], revokes: [], failures: [] }
  const time = async (to: number[], send: () => Promise<number>, expected: number) => {
    const begin = performance.now()
    const status = await send().catch((error: Error) => error.message)
    to.push(performance.now() - begin)
    if (status !== expected) times.failures.push(String(status))
  }
  const get = async () => {
    const response = await client.request({
      method: 'GET',
      path: '/x',
      headers: { authorization: `Bearer ${token}` },
    })
    await response.body.dump()
    return response.statusCode
  }
  const login = async () => {
    const body = JSON.stringify({ username: 'ada', password: USERS.ada })
    const headers = { 'content-type': 'application/json' }
    const response = await client.request({ method: 'POST', path: '/auth/login', headers, body })
    await response.body.dump()
    return response.statusCode
  }
  const revoke = async () => {
    const json = { jti: `nobody-has-this-${Math.random().toString(36).slice(2)}` }
    return (await call(adminUrl, 'POST', '/api/revocations', { token: ADMIN_TOKEN, json })).status
  }
  const endsAt = performance.now() + seconds * 1_000
  for (let n = 0; performance.now() < endsAt; n += 1) {
    await time(times.guarded, get, 200)
    if (n % 50 === 10) await time(times.logins, login, 200)
    if (n % 50 === 30) await time(times.revokes, revoke, 201)
    await sleep(2)
  }
  return times
}

function print(
  flood: string,
  sent: number,
  { guarded, logins, revokes, failures }: Times,
  quiet: Times,
): void {
  const median = spreadOf(guarded).median
  const max = (values: readonly number[]) => Math.round(Math.max(...values))
  const ratio = (median / spreadOf(quiet.guarded).median).toFixed(1)
  if (failures.length > 0) process.exitCode = 1
  console.log(
    `${flood}: ${sent} sent; guarded ${median.toFixed(1)} ms (${ratio} × quiet, ${guarded.length} requests, at most ` +
      `${max(guarded)}); login ${Math.round(spreadOf(logins).median)} ms (at most ${max(logins)}); revoke at most ` +
      `${max(revokes)} ms; ${failures.length} failed ${[...new Set(failures)].join(', ')}`,
  )
}
