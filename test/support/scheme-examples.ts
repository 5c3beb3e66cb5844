/** Runs `examples/schemes` in the test's process, from the files that the package contains. */
import { pathToFileURL } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Scope } from './scope.js'

/** Tests run in the root folder. */
const EXAMPLES = pathToFileURL(`${process.cwd()}/examples/schemes/`)

export interface RunningExample<Client> {
  readonly apps: readonly FastifyInstance[]
  /** The URLs of the applications, in the same order. */
  readonly urls: readonly string[]
  /** The exports of `client.mjs`. */
  readonly client: Client
}

/**
 * Starts the servers of an example on loopback, on free ports. They close at the end of the test.
 *
 * @example
 * ```ts
 * const { urls: [url], client } = await startExample<Client>(t, 'single-token', { store: 'memory' })
 * ```
 *
 * @param name The name of its folder.
 * @param options The options of `createServer`.
 */
export async function startExample<Client>(
  t: Scope,
  name: string,
  options: object,
): Promise<RunningExample<Client>> {
  const server = (await load(name, 'server.mjs')) as {
    createServer(given: object): Promise<FastifyInstance | readonly FastifyInstance[]>
  }
  const apps = [await server.createServer(options)].flat()
  const urls: string[] = []
  for (const app of apps) {
    t.teardown(() => app.close())
    urls.push(await app.listen({ host: '127.0.0.1', port: 0 }))
  }
  return { apps, urls, client: (await load(name, 'client.mjs')) as Client }
}

/** TypeScript doesn't compile the examples, so they have no types here. */
const load = (name: string, file: string): Promise<unknown> =>
  import(new URL(`${name}/${file}`, EXAMPLES).href)
