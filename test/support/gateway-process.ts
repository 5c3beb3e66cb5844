/** Gateways for tests, in this process or as the real `portcullis serve`, and a client for them. */
import { hash } from '@node-rs/bcrypt'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import { startLegacyBlog } from '../../src/commands/legacy-blog.js'
import { loadGatewaySettings } from '../../src/config.js'
import type { RunningServer } from '../../src/server.js'
import { startServer } from '../../src/server.js'
import type { AccessClaims } from '../../src/token/access-token.js'
import { loadKey } from '../../src/token/key-directory.js'
import { createJwt } from '../../plugins/jwt.js'
import type { Test } from 'tap'
import type { Scope } from './scope.js'

/** Who may log in, and the password. */
export const USERS = { ada: 'gate-keeper-1843', bob: 'drawbridge-1066' } as const

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url))
/** Only ends a test that hangs, before tap would end it without a message. Starts took 45 s on an overloaded machine. */
const START_TIMEOUT_MILLISECONDS = 100_000

/** Ends the child when this process is gone, however that came. */
const LEASH = `data:text/javascript,process.on('disconnect',()=>process.kill(process.pid,'SIGKILL'));process.channel.unref()`

/** Settings as in the YAML file; each top-level key replaces the one of `settingsFor`. */
export type Overrides = Readonly<Record<string, unknown>>

/**
 * A directory for keys and the users file, removed at the test's end. Instances that share it accept each other's
 * tokens.
 */
export async function home(t: Scope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'portcullis-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  // The cheapest hash there is: few of these tests are about the time that a login takes.
  const lines = Object.entries(USERS).map(async ([name, password]) => `${name}:${await hash(password, 4)}\n`)
  await writeFile(join(directory, 'users.htpasswd'), (await Promise.all(lines)).join(''))
  return directory
}

/** What plugin and gateway have in common. */
export function sharedSettings(directory: string) {
  const issuer = 'https://portcullis.test'
  return { store: 'memory', issuer, audience: issuer, keys: { dir: join(directory, 'keys') } }
}

export function settingsFor(directory: string, overrides: Overrides = {}): Record<string, unknown> {
  return {
    ...sharedSettings(directory),
    listen: { host: '127.0.0.1', port: 0 },
    admin: false,
    login: { users: join(directory, 'users.htpasswd') },
    log: { level: 'silent' },
    // Where nobody listens: a test that forwards brings its own.
    routes: [{ path: '/', upstream: 'http://127.0.0.1:9' }],
    ...overrides,
    // Tests of one request mustn't fail because the machine is busy.
    limits: { eventLoopDelay: '0s', ...(overrides['limits'] as object | undefined) },
  }
}

/** A gateway in this process, closed at the test's end. */
export async function startGateway(
  t: Scope,
  overrides: Overrides = {},
  directory?: string,
): Promise<RunningServer> {
  const values = settingsFor(directory ?? (await home(t)), overrides)
  const server = await startServer(loadGatewaySettings({ preset: { name: 'the test', values } }).settings)
  t.teardown(() => server.close())
  return server
}

/** The bundled legacy blog; gives its address. */
export async function startBlog(t: Scope): Promise<string> {
  const { url, close } = await startLegacyBlog('127.0.0.1', 0)
  t.teardown(close)
  return url
}

/** A request as an upstream saw it. */
export interface Seen {
  readonly method: string
  readonly target: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[]
}

/** An upstream that remembers what it was asked, and answers whole requests by 200 with the headers given. */
export async function startUpstream(t: Scope, answerHeaders: Record<string, string | string[]> = {}) {
  const seen: Seen[] = []
  const server = createServer((incoming, response) => {
    const { method, url, headers, rawHeaders } = incoming
    seen.push({ method: method!, target: url!, headers, rawHeaders })
    incoming.resume().once('end', () => response.writeHead(200, answerHeaders).end('from the upstream'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

/** A `portcullis serve` of its own. */
export interface GatewayProcess {
  readonly url: string
  readonly adminUrl: string | undefined
  /** All that it has written to its standard output and error. */
  output(): string
  /** The records of its log so far. */
  records(): Record<string, unknown>[]
  /** Signals it, and gives the exit code; null where the signal itself ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts `portcullis serve` and waits until it listens. It ends with the test, or with this process. */
export async function serveGateway(
  t: Scope,
  overrides: Overrides = {},
  directory?: string,
  env: NodeJS.ProcessEnv = {},
  /** The limit on its open files and sockets, as by `ulimit -n`. */
  openFiles?: number,
): Promise<GatewayProcess> {
  const cwd = directory ?? (await home(t))
  const settings = settingsFor(cwd, { log: { level: 'info' }, ...overrides })
  // JSON is YAML.
  const config = join(cwd, `portcullis-${Math.random().toString(36).slice(2)}.yaml`)
  await writeFile(config, JSON.stringify(settings))
  const args = ['--import', LEASH, CLI, 'serve', '--config', config]
  const limited = openFiles === undefined ? [] : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`]
  const [program = '', ...rest] = [...limited, process.execPath, ...args]
  const child = spawn(program, rest, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  child.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()))
  // 'exit' may come before the last of its output.
  const exited = once(child, 'close') as Promise<[number | null]>
  const isRunning = () => child.exitCode === null && child.signalCode === null
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (isRunning()) child.kill(signal)
    return (await exited)[0]
  }
  t.teardown(async () => void (await stop('SIGKILL')))
  const records = () => output.split('\n').slice(0, -1).filter(isObject).map(parse)
  const started = await soon('portcullis serve has started', () => {
    if (!isRunning()) throw new Error('portcullis serve ended by itself')
    return records().find(({ event }) => event === 'started')
  }).catch((error: Error) => {
    throw new Error(`${error.message}; its output:\n${output}`)
  })
  const { url, admin } = started as { url: string; admin?: string }
  return { url, adminUrl: admin, output: () => output, records, stop }
}

const isObject = (line: string) => line.startsWith('{')
const parse = (line: string) => JSON.parse(line) as Record<string, unknown>

/** What `find` gives as soon as it gives something; rejects when that takes too long. */
export async function soon<T>(
  what: string,
  find: () => T | Promise<T>,
  timeoutMilliseconds = START_TIMEOUT_MILLISECONDS,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMilliseconds
  for (;;) {
    const found = await find()
    if (found !== undefined && found !== null && found !== false) return found
    if (performance.now() > deadline) throw new Error(`it never came about that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export interface CallOptions {
  readonly token?: string | undefined
  readonly json?: unknown
  readonly form?: Readonly<Record<string, string>>
  readonly body?: string
  /** Cookies by name. */
  readonly cookies?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  /** The parsed body, where it is JSON. */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
  /** `Set-Cookie` lines. */
  readonly setCookie: readonly string[]
  /** The time from the call to the last byte. */
  readonly milliseconds: number
}

// The default would be the Agent of Node's own undici. On Node 22 it is older, and takes no list as `Connection`.
const dispatcher = new Agent()

export async function call(
  base: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const { token, json, form, cookies } = options
  const headers: Record<string, string> = {}
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`
  if (json !== undefined) headers['content-type'] = 'application/json'
  if (form) headers['content-type'] = 'application/x-www-form-urlencoded'
  if (cookies)
    headers['cookie'] = Object.entries(cookies)
      .map((pair) => pair.join('='))
      .join('; ')
  const body = json === undefined ? form && new URLSearchParams(form).toString() : JSON.stringify(json)
  const begin = performance.now()
  const response = await request(`${base}${path}`, {
    method: method as 'GET',
    headers: { ...headers, ...options.headers },
    body: options.body ?? body ?? null,
    headersTimeout: 20_000,
    dispatcher,
  })
  const text = await response.body.text()
  const milliseconds = performance.now() - begin
  const type = String(response.headers['content-type'] ?? '')
  return {
    status: response.statusCode,
    headers: response.headers,
    text,
    body: /json/.test(type) && text !== '' ? JSON.parse(text) : undefined,
    setCookie: [response.headers['set-cookie'] ?? []].flat(),
    milliseconds,
  }
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly session_id: string
}

export async function logIn(base: string, username: keyof typeof USERS = 'ada'): Promise<Tokens> {
  const answer = await call(base, 'POST', '/auth/login', { json: { username, password: USERS[username] } })
  if (answer.status !== 200) throw new Error(`login answered ${answer.status}: ${answer.text}`)
  return answer.body as Tokens
}

/** Logs in as a browser of the gateway's own page does; gives the cookies by name. */
export async function logInByCookies(base: string): Promise<Record<string, string>> {
  const json = { username: 'ada', password: USERS.ada, cookies: true }
  const { setCookie } = await call(base, 'POST', '/auth/login', { json, headers: { origin: base } })
  return cookiesOf(setCookie)
}

export function cookiesOf(setCookie: readonly string[]): Record<string, string> {
  return Object.fromEntries(setCookie.map((line) => line.split(';', 1)[0]!.split('=') as [string, string]))
}

export function claimsOf(token: string): AccessClaims {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as AccessClaims
}

/** The token as the instances of `directory` would have signed it two minutes ago, to live for one. */
export async function expired(directory: string, token: string): Promise<string> {
  const settings = sharedSettings(directory)
  const { key } = await loadKey({ algorithm: 'ES256', dir: settings.keys.dir })
  const now = Math.floor(Date.now() / 1000)
  return (await createJwt(key, settings)).sign({ ...claimsOf(token), iat: now - 120, exp: now - 60 })
}

const PROBLEM_FIELDS = new Set(['code', 'detail', 'request_id', 'status', 'title', 'type'])

/**
 * The answer is a problem (RFC 9457) with this status and code, isn't to be stored, and shows nothing of our inside.
 */
export function isRefused(t: Test, answer: Answer, status: number, code: string, what = code): void {
  const { headers, body, text } = answer
  t.match(
    { status: answer.status, type: headers['content-type'], cache: headers['cache-control'], body },
    { status, type: /^application\/problem\+json/, cache: 'no-store', body: { status, code } },
    what,
  )
  const unknown = Object.keys(body ?? {}).filter((field) => !PROBLEM_FIELDS.has(field))
  t.strictSame(unknown, [], `${what}: no other fields`)
  // This error names the host that the request itself was sent to.
  const inside =
    code === 'cross_site_request' ? /\.js:|node_modules|ECONN/i : /\.js:|node_modules|ECONN|127\.0\.0\.1/i
  t.notMatch(text, inside, `${what}: nothing of our inside`)
  if (status === 401) t.match(headers['www-authenticate'], /^Bearer realm=/, `${what}: a challenge`)
  if (status === 503) t.match(headers['retry-after'], /^\d+$/, `${what}: Retry-After`)
}

export const TOKEN_FIELDS = [
  'access_token',
  'expires_in',
  'refresh_expires_in',
  'refresh_token',
  'session_id',
  'token_type',
]
