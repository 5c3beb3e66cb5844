import { hash } from '@node-rs/bcrypt'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { stringify } from 'yaml'

export const PASSWORD = 'growth-1843'
/** The cheapest bcrypt hash, because hashing isn't measured here. */
export const PASSWORD_HASH = await hash(PASSWORD, 4)
const START_MILLISECONDS = 120_000

export interface Gateway {
  readonly url: string
  /** From the start of the process until `ready` is 200. */
  readonly startMilliseconds: number
  readonly cpuSeconds: number
  readonly rssMegabytes: number
  stop(): Promise<void>
}

export interface Launcher {
  /** The path of a built `cli.js`, of this checkout or of another one to compare with. */
  readonly cli: string
  readonly directory: string
  /** The path that is polled until it is 200. */
  readonly ready: '/healthz' | '/readyz'
}

/** Starts a real `portcullis serve`. Returns `undefined` if it ends before it listens. */
export async function startGateway(launcher: Launcher, settings: object): Promise<Gateway | undefined> {
  const { cli, directory, ready } = launcher
  const config = join(directory, 'portcullis.yaml')
  const common = {
    issuer: 'https://growth.test',
    audience: 'https://growth.test',
    keys: { dir: join(directory, 'keys') },
    listen: { host: '127.0.0.1', port: 0 },
    admin: false,
    routes: [{ path: '/', upstream: 'http://127.0.0.1:9' }],
  }
  await writeFile(config, stringify({ ...common, ...settings }, { aliasDuplicateObjects: false }))
  const began = performance.now()
  const child = spawn(process.execPath, [cli, 'serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const url = await startedUrl(child)
  if (url === undefined) return undefined
  while ((await statusOf(`${url}${ready}`)) !== 200) {
    if (performance.now() - began > START_MILLISECONDS) throw new Error(`${url}${ready} is never 200`)
    await sleep(5)
  }
  const startMilliseconds = performance.now() - began
  return { url, startMilliseconds, ...usageOf(child.pid!), stop: () => stop(child) }
}

async function startedUrl(child: ChildProcess): Promise<string | undefined> {
  const limit = setTimeout(() => child.kill('SIGKILL'), START_MILLISECONDS)
  let output = ''
  try {
    for await (const chunk of child.stdout!) {
      output += String(chunk)
      const url = /"event":"started","url":"([^"]+)"/.exec(output)?.[1]
      if (url !== undefined) return url
    }
    return undefined
  } finally {
    clearTimeout(limit)
  }
}

async function statusOf(url: string): Promise<number> {
  const { statusCode, body } = await request(url)
  await body.dump()
  return statusCode
}

/** Reads `/proc`, so it needs Linux. A clock tick is 10 ms. */
function usageOf(pid: number): { cpuSeconds: number; rssMegabytes: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  const rss = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMegabytes: Number(rss) / 1024 }
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/**
 * Sends JSON by POST. Returns the parsed response, and its duration in ms.
 *
 * @throws {Error} if the response isn't 2xx
 */
export async function post(url: string, json: object | undefined, token?: string) {
  const began = performance.now()
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: {
      ...(json && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: json ? JSON.stringify(json) : null,
  })
  const text = await body.text()
  const took = performance.now() - began
  if (statusCode > 299) throw new Error(`the response of ${url} is ${statusCode}: ${text}`)
  return { took, body: (text === '' ? {} : JSON.parse(text)) as Record<string, string> }
}
