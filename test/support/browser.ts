/** A real Chromium without a window, driven by the few commands of its DevTools protocol that are needed. */
import { spawn } from 'node:child_process'
import { X509Certificate, createHash } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'
import { WebSocket } from 'ws'

const COMMANDS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Chromium's path: as `npm test` found it, or told that there is none (an empty one); by hand, on PATH. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const paths = COMMANDS.flatMap((command) => folders.map((folder) => join(folder, command)))
  const told = process.env['TEST_CHROMIUM_SERVER']
  return told === undefined ? paths.find(isExecutable) : told || undefined
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-extensions',
  '--no-first-run',
  '--no-proxy-server',
  '--remote-debugging-port=0',
]

export interface Page {
  /** Loads a page; gives its status and its text. */
  open(url: string): Promise<{ status: number; text: string }>
  /** The value of an expression in the page; of a promise, what it resolves to. */
  evaluate(expression: string): Promise<unknown>
  /** Opens another page of the same profile. */
  openTab(): Promise<Page>
  /** Errors of the page so far: uncaught exceptions, violations of its policy, failed loads. */
  readonly errors: readonly string[]
}

interface Reply {
  readonly id?: number
  readonly method?: string
  readonly params?: {
    readonly type?: string
    readonly response?: { readonly status: number }
    readonly entry?: { readonly level: string; readonly text: string }
    readonly exceptionDetails?: unknown
  }
  readonly result?: { readonly result?: { readonly value?: unknown }; readonly exceptionDetails?: unknown }
  readonly error?: { readonly message: string }
}

/**
 * Starts a Chromium with a profile of its own, which ends with the test, and opens an empty page in it.
 *
 * @param cert PEM. What this certificate proves is trusted as if it came from an authority.
 */
export async function openPage(t: Test, chromium: string, cert?: string): Promise<Page> {
  const profile = await mkdtemp(join(tmpdir(), 'portcullis-chromium-'))
  const own = [`--user-data-dir=${profile}`, ...(cert === undefined ? [] : [trustFlag(cert)])]
  const child = spawn(chromium, [...FLAGS, ...own, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // A group of its own, so that all its processes end.
    detached: true,
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
    await exited
    await rm(profile, { recursive: true, force: true, maxRetries: 10 })
  })
  const host = await devToolsHost(child.stderr!)
  const pages = (await (await fetch(`http://${host}/json/list`)).json()) as Target[]
  return connect(
    t,
    host,
    pages.find(({ type }) => type === 'page')!,
  )
}

function trustFlag(cert: string): string {
  const publicKey = new X509Certificate(cert).publicKey.export({ format: 'der', type: 'spki' })
  // With all errors ignored, nothing would be cached.
  return `--ignore-certificate-errors-spki-list=${createHash('sha256').update(publicKey).digest('base64')}`
}

interface Target {
  readonly type: string
  readonly webSocketDebuggerUrl: string
}

async function connect(t: Test, host: string, target: Target): Promise<Page> {
  const socket = new WebSocket(target.webSocketDebuggerUrl)
  await once(socket, 'open')
  t.teardown(() => socket.terminate())
  return {
    ...drive(socket),
    async openTab() {
      const created = await fetch(`http://${host}/json/new?about:blank`, { method: 'PUT' })
      return connect(t, host, (await created.json()) as Target)
    },
  }
}

/** Chromium prints the address of its DevTools, which list the pages. */
async function devToolsHost(stderr: NodeJS.ReadableStream): Promise<string> {
  let output = ''
  for await (const chunk of stderr) {
    output += String(chunk)
    const host = /DevTools listening on ws:\/\/([^/]+)\//.exec(output)?.[1]
    if (host === undefined) continue
    stderr.resume()
    return host
  }
  throw new Error(`Chromium ended by itself:\n${output}`)
}

function drive(socket: WebSocket): Omit<Page, 'openTab'> {
  let lastId = 0
  const waiting = new Map<number, (reply: Reply) => void>()
  let onEvent: (reply: Reply) => void = () => {}
  const errors: string[] = []
  socket.on('message', (data) => {
    const reply = JSON.parse(String(data)) as Reply
    if (reply.id === undefined) {
      const { entry, exceptionDetails } = reply.params ?? {}
      if (entry?.level === 'error') errors.push(entry.text)
      if (exceptionDetails !== undefined) errors.push(JSON.stringify(exceptionDetails))
      return onEvent(reply)
    }
    waiting.get(reply.id)?.(reply)
    waiting.delete(reply.id)
  })
  const send = async (method: string, params = {}) => {
    const id = (lastId += 1)
    const replied = new Promise<Reply>((resolve) => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params }))
    const { error, result } = await replied
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }
  const evaluate = async (expression: string) => {
    const options = { expression, awaitPromise: true, returnByValue: true }
    const done = await send('Runtime.evaluate', options)
    if (done?.exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(done.exceptionDetails)}`)
    return done?.result?.value
  }
  return {
    evaluate,
    errors,
    async open(url) {
      await Promise.all(['Page', 'Network', 'Log', 'Runtime'].map((domain) => send(`${domain}.enable`)))
      let status = 0
      const loaded = new Promise<void>((resolve) => {
        onEvent = ({ method, params }) => {
          if (method === 'Network.responseReceived' && params?.type === 'Document')
            status = params.response!.status
          if (method === 'Page.loadEventFired') resolve()
        }
      })
      await send('Page.navigate', { url })
      await loaded
      return { status, text: String(await evaluate('document.body.innerText')) }
    },
  }
}
