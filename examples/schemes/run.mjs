/** Starts the servers of an example from the command line: `node server.mjs [--store redis://…] [--port 3000]`. */
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/**
 * Starts what `createServer` returns, if `node` was called with this file. An import of the file starts nothing. The
 * servers listen on loopback, the first on `port`, the second on the next one, and so on.
 *
 * @param {string} url `import.meta.url` of the file
 * @param {(options: { store: string, port: number }) => unknown} createServer Returns a Fastify application, or a list.
 */
export async function runServer(url, createServer) {
  if (!isMain(url)) return
  const { values } = parseArgs({
    options: {
      store: { type: 'string', default: 'memory' },
      port: { type: 'string', default: '3000' },
    },
  })
  const port = Number(values.port)
  const servers = [await createServer({ store: values.store, port })].flat()
  for (const [index, server] of servers.entries())
    console.log(await server.listen({ host: '127.0.0.1', port: port + index }))
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.once(signal, () => Promise.all(servers.map((server) => server.close())))
  console.log('Press Ctrl+C to stop.')
}

/**
 * Runs the steps of a client, if `node` was called with this file: `node client.mjs [http://127.0.0.1:3000 …]`.
 *
 * @param {string} url `import.meta.url` of the file
 * @param {(...servers: string[]) => Promise<unknown>} steps Gets the URLs of the servers from the command line.
 */
export async function runClient(url, steps) {
  if (!isMain(url)) return
  const { positionals } = parseArgs({ allowPositionals: true })
  await steps(...positionals)
}

function isMain(url) {
  const [, program] = process.argv
  return program !== undefined && realpathSync(program) === fileURLToPath(url)
}
