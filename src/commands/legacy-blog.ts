import type { AddressInfo } from 'node:net'
import closeWithGrace from 'close-with-grace'
import { StartError } from '../start-error.js'
import { UsageError, readArgs } from './command.js'
import type { Command } from './command.js'
import { createLegacyBlog } from './legacy-blog/blog-server.js'

export const legacyBlog: Command = {
  name: 'legacy-blog',
  summary: 'starts the sample legacy API: a small blog without any authentication',
  help: () => 'portcullis legacy-blog [--host 127.0.0.1] [--port 8080]   (port 0 picks a free port)',
  async run(args) {
    const options = {
      host: { type: 'string' as const, default: '127.0.0.1' },
      port: { type: 'string' as const, default: '8080' },
    }
    const { values } = readArgs({ args: [...args], options, strict: true, allowPositionals: false })
    if (!/^[0-9]{1,5}$/.test(values.port) || Number(values.port) > 65_535)
      throw new UsageError(`--port ${values.port} is not a port; write a number from 0 to 65535`)
    const { url, close } = await startLegacyBlog(values.host, Number(values.port))
    console.log(`the legacy blog listens on ${url}`)
    closeWithGrace({ logger: false }, close)
  },
}

/** @throws {StartError} if the address can't be listened on */
export async function startLegacyBlog(
  host: string,
  port: number,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createLegacyBlog()
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ message }) =>
      reject(new StartError(`${host}:${port} can’t be listened on: ${message}`)),
    )
    server.listen(port, host, resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://${host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
