/** Each example runs as its README says: the servers in one terminal, the client in another. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import t from 'tap'
import { home } from '../support/gateway-process.js'
import { freePort } from '../support/free-port.js'

t.setTimeout(300_000)

const folders = readdirSync('examples/schemes', { withFileTypes: true }).filter((one) => one.isDirectory())
t.ok(folders.length > 0, 'examples were found')

for (const { name } of folders) {
  t.test(`${name}: the client runs against the server, and the server stops by itself`, async (t) => {
    const folder = resolve('examples/schemes', name)
    const cwd = await home(t)
    const port = String(await freePort())
    const server = spawn(process.execPath, [`${folder}/server.mjs`, '--port', port], {
      cwd,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => void server.kill('SIGKILL'))
    const exited = once(server, 'exit')
    const urls: string[] = []
    for await (const line of createInterface(server.stdout)) {
      if (!line.startsWith('http://')) break
      urls.push(line)
    }
    t.equal(urls[0], `http://127.0.0.1:${port}`)
    const { stdout } = await promisify(execFile)(process.execPath, [`${folder}/client.mjs`, ...urls], { cwd })
    t.ok(stdout.split('\n').length > 3, 'the client prints its steps')
    server.kill('SIGTERM')
    t.strictSame(await exited, [0, null])
  })
}
