/** Runs the shell blocks of the README as a reader would, on free ports and with a key prefix of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { soon } from './support/gateway-process.js'
import { cleanUp, freePort, redisUrl, uniquePrefix } from './support/redis.js'
import type { Scope } from './support/redis.js'

const root = process.cwd()
const curl = process.env['TEST_CURL_SERVER'] ?? 'curl'

/** The code blocks of a section of the README, in their order. */
async function blocks(section: string): Promise<string[]> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const [, after = ''] = readme.split(`\n## ${section}\n`)
  return [...after.split('\n## ')[0]!.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, code = '']) => code)
}

/** Starts bash with a block. Ends it and its children with the test. */
function bash(t: Scope, block: string, cwd: string) {
  const path = existsSync(curl) ? `${dirname(curl)}:${process.env['PATH']}` : process.env['PATH']
  const child = spawn('bash', ['-euo', 'pipefail', '-c', block], {
    cwd,
    detached: true,
    env: { ...process.env, PATH: path },
  })
  // Emitted when the children have closed their output, too.
  const closed = once(child, 'close')
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal)
    } catch {
      // They have ended by themselves.
    }
  }
  t.teardown(async () => {
    const giveUp = setTimeout(() => kill('SIGKILL'), 10_000)
    kill('SIGTERM')
    await closed
    clearTimeout(giveUp)
  })
  child.stdin.end()
  return child
}

/** Starts a block that doesn't end. */
function startServer(t: Scope, block: string, cwd: string): void {
  const child = bash(t, block, cwd)
  child.stdout.resume()
  child.stderr.resume()
}

async function outputOf(t: Scope, block: string, cwd: string): Promise<string> {
  const child = bash(t, block, cwd)
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  if (child.exitCode !== null && child.exitCode !== 0) throw new Error(`exit code ${child.exitCode}: ${err}`)
  return out
}

async function isUp(url: string): Promise<boolean> {
  return fetch(url).then(
    async (response) => {
      await response.arrayBuffer()
      return response.ok
    },
    () => false,
  )
}

t.test('the demo: the last request of the README is refused with session_ended', async (t) => {
  const [start, requests] = await blocks('Demo')
  const [port, admin] = [await freePort(), await freePort()]
  t.match(start, /^npm run demo\n$/)
  startServer(t, `${start!.trim()} -- --listen.port ${port} --admin.port ${admin}`, root)
  await soon('the demo listens', () => isUp(`http://127.0.0.1:${port}/healthz`))
  const output = await outputOf(t, requests!.replaceAll('localhost:3000', `127.0.0.1:${port}`), root)
  t.match(output, /"reader":"ada"/, 'the first request was admitted')
  t.match(output, /"code":"session_ended","request_id":"[^"]+"\}$/)
})

t.test('the example plugin: its start and its login', async (t) => {
  const [, start, login] = await blocks('The plugin')
  const port = await freePort()
  startServer(t, `PORT=${port} ${start}`, root)
  await soon('the application listens', () => isUp(`http://127.0.0.1:${port}/`))
  const output = await outputOf(t, login!.replaceAll('localhost:3000', `127.0.0.1:${port}`), root)
  t.match(JSON.parse(output), { token_type: 'Bearer', access_token: /^ey/, session_id: /./ })
})

t.test('the gateway: the file, the user and the commands of the README work together', async (t) => {
  const [yaml, prepare, api, serve] = await blocks('The gateway')
  const [port, admin, blog] = [await freePort(), await freePort(), await freePort()]
  const prefix = uniquePrefix()
  cleanUp(t, prefix)
  const cwd = t.testdir({})
  const local = (command: string) => command.replaceAll('dist/src/cli.js', join(root, 'dist/src/cli.js'))
  const file = yaml!.replaceAll('127.0.0.1:8080', `127.0.0.1:${blog}`)
  await writeFile(
    join(cwd, 'portcullis.yaml'),
    `${file.replace('redis://127.0.0.1:6379/0', redisUrl())}keyPrefix: ${prefix}\n`,
  )
  await outputOf(t, local(prepare!), cwd)
  startServer(t, local(api!.replace('legacy-blog', `legacy-blog --port ${blog}`)), cwd)
  await soon('the blog listens', () => isUp(`http://127.0.0.1:${blog}/post`))
  startServer(t, `${local(serve!).trim()} --listen.port ${port} --admin.port ${admin}`, cwd)
  await soon('the gateway is ready', () => isUp(`http://127.0.0.1:${port}/readyz`))

  const url = `http://127.0.0.1:${port}`
  const response = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'ada', password: 'a long password' }),
  })
  const { access_token } = (await response.json()) as { access_token: string }
  const authorization = `Bearer ${access_token}`
  const statusOf = async (path: string, headers = {}) => (await fetch(`${url}${path}`, { headers })).status
  t.equal(await statusOf('/post'), 200, 'auth: none')
  t.equal(await statusOf('/post/all'), 401)
  t.equal(await statusOf('/post/all', { authorization }), 200)
  t.equal(
    await statusOf('/admin', { authorization }),
    404,
    'ada has the scope, and the sample API no such path',
  )
})
