/** A host of the plugin as a process of its own, for tests that wait until the process ends by itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { PluginOptions } from '../../src/config.js'
import type { Scope } from './scope.js'

const PLUGIN = new URL('../../src/index.js', import.meta.url).href
const FASTIFY = import.meta.resolve('fastify')
/** The working directory: the host needs no file of it. */
const HERE = fileURLToPath(new URL('.', import.meta.url))

/**
 * Prints a line when the plugin is registered, or has failed. Closes the application after a line of input, unless the
 * registration failed. `linger` doesn't keep the process alive. It fires only if something else does.
 */
const HOST = `
  const [{ default: fastify }, { default: portcullis }] = await Promise.all([import('${FASTIFY}'), import('${PLUGIN}')])
  const { once } = await import('node:events')
  const app = fastify()
  let isRegistered = true
  try {
    await app.register(portcullis, JSON.parse(process.argv[1]))
    await app.ready()
    console.log('ready')
  } catch (error) {
    isRegistered = false
    console.log('failed: ' + error.message)
  }
  if (isRegistered) {
    await once(process.stdin, 'data')
    await app.close()
  }
  process.stdin.destroy()
  const linger = () => {
    console.log('still open: ' + process.getActiveResourcesInfo().join())
    process.exit(9)
  }
  setTimeout(linger, 1500).unref()
`

/** A running host. */
export interface PluginProcess {
  /** Resolves to the host's first line: `ready`, or `failed: …`. */
  readonly started: Promise<string>
  /** Closes the application, and resolves to the exit code and the output of the host: 9 if its process didn't end. */
  end(): Promise<{ code: number | null; output: string }>
}

/** Starts a host with these options, which must be JSON. */
export function startPluginProcess(t: Scope, options: Partial<PluginOptions>): PluginProcess {
  const args = ['--input-type=module', '-e', HOST, JSON.stringify(options)]
  const child = spawn(process.execPath, args, { cwd: HERE, stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => void child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const ended = once(child, 'close') as Promise<[number | null]>
  const started = once(child.stdout, 'data').then(([line]) => String(line).trim())
  // The host reads no input if its registration has failed.
  child.stdin.on('error', () => {})
  return {
    started,
    async end() {
      child.stdin.end('close\n')
      const [code] = await ended
      return { code, output }
    },
  }
}
