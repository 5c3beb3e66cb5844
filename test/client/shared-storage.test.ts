/** Several clients, and several processes, with one storage. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Test } from 'tap'
import { fileStorage } from '../../examples/client/file-storage.js'
import { CREDENTIALS, SharedStorage, openClientServer } from '../support/client-server.js'
import { soon } from '../support/gateway-process.js'

async function directory(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'portcullis-client-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

t.test('two clients with one storage share the session, and make one refresh', async (t) => {
  const server = await openClientServer(t)
  const storage = new SharedStorage()
  const reasons: string[] = []
  const [first, second] = [1, 2].map((id) =>
    server.client({ storage, onSignedOut: (code) => reasons.push(`${id} ${code}`) }),
  ) as [ReturnType<typeof server.client>, ReturnType<typeof server.client>]
  const session = await first.login(CREDENTIALS)
  t.equal((await second.fetch('/me')).status, 200)
  t.same(second.session(), session)

  storage.age(900)
  const clients = [first, second, first, second]
  const responses = await Promise.all(clients.map((client) => client.fetch('/me')))
  t.ok(responses.every(({ status }) => status === 200))
  t.equal(server.count('/auth/refresh'), 1)

  await server.revoke(await first.token())
  await Promise.all(clients.map((client) => client.fetch('/me')))
  t.equal(server.count('/auth/refresh'), 2)

  await first.logout()
  t.equal((await second.fetch('/me')).status, 401)
  t.equal(second.session(), undefined)
  t.same(reasons, ['2 session_ended'], 'the second was signed out by the first')
  t.equal([...storage.values.keys()].length, 0, 'no lock is left')
})

t.test('a slow read that a login overtakes signs nobody out', async (t) => {
  const server = await openClientServer(t)
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  let isSlow = false
  class SlowStorage extends SharedStorage {
    override async getItem(key: string): Promise<string | undefined> {
      const isHeld = isSlow
      const text = await super.getItem(key)
      if (isHeld) await held
      return text
    }
  }
  const reasons: string[] = []
  const client = server.client({ storage: new SlowStorage(), onSignedOut: (code) => reasons.push(code) })
  isSlow = true
  const token = client.token()
  isSlow = false
  const session = await client.login(CREDENTIALS)
  release()
  await token
  t.equal(client.session(), session)
  t.same(reasons, [])
})

t.test('the lock of a client that has ended is taken over', async (t) => {
  const server = await openClientServer(t)
  const storage = new SharedStorage()
  const client = server.client({ storage })
  await client.login(CREDENTIALS)
  const [key] = storage.values.keys()
  storage.values.set(`${key}:lock`, `${Date.now() - 1} 0.5`)
  storage.age(900)
  t.equal((await client.fetch('/me')).status, 200)
  t.notOk(storage.values.has(`${key}:lock`))
})

t.test('a session of another login is neither overwritten by a refresh nor signed out', async (t) => {
  const server = await openClientServer(t)
  const storage = new SharedStorage()
  const [first, second] = [server.client({ storage }), server.client({ storage })]
  await first.login(CREDENTIALS)
  const old = await first.token()
  await second.login({ ...CREDENTIALS, username: 'bob' })
  const request = first.fetch('/me')
  await server.app.portcullis.sessions.endAll('alice')
  t.same(await (await request).json(), { sub: 'bob' })
  t.not(await first.token(), old)
  t.ok(first.session())
})

t.test('the file storage keeps its files from others, and has no lock that two can hold', async (t) => {
  const path = join(await directory(t), 'inner')
  const storage = fileStorage(path)
  t.equal(await storage.getItem('a/b'), undefined)
  await storage.setItem('a/b', 'text')
  t.equal(await storage.getItem('a/b'), 'text')
  const [file] = await readdir(path)
  t.equal((await stat(join(path, file!))).mode & 0o077, 0)
  let inside = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 10 }, () =>
      storage.lock('name', async () => {
        most = Math.max(most, (inside += 1))
        await storage.getItem('a/b')
        inside -= 1
      }),
    ),
  )
  t.equal(most, 1)
  const impossible = storage.lock('n'.repeat(300), async () => 'the work')
  await t.rejects(
    impossible,
    { code: 'ENAMETOOLONG' },
    'a lock that can never be taken is an error, not a wait',
  )
  await storage.removeItem('a/b')
  t.same(await readdir(path), [])
})

t.test('two processes with one directory make one refresh', async (t) => {
  const server = await openClientServer(t)
  const path = await directory(t)
  const storage = fileStorage(path)
  const client = server.client({ storage })
  await client.login(CREDENTIALS)
  const [file] = await readdir(path)
  const key = decodeURIComponent(file!)
  const stored = JSON.parse((await storage.getItem(key))!) as { at: number }
  await storage.setItem(key, JSON.stringify({ ...stored, at: stored.at - 900_000 }))

  // Both have started before the refresh of either can end.
  let waiting = 0
  let release = () => {}
  const both = new Promise<void>((resolve) => (release = resolve))
  server.hooks.set('/healthz-of-test', async () => {
    waiting += 1
    if (waiting === 2) release()
    await both
  })
  const urlOf = (module: string) => new URL(module, import.meta.url).href
  const program = `
    import { createClient } from ${JSON.stringify(urlOf('../../web/client/client.js'))}
    import { fileStorage } from ${JSON.stringify(urlOf('../../examples/client/file-storage.js'))}
    const [baseUrl, path] = process.argv.slice(1)
    await fetch(baseUrl + '/healthz-of-test')
    const client = createClient({ baseUrl, storage: fileStorage(path) })
    const responses = await Promise.all(Array.from({ length: 6 }, () => client.fetch('/me')))
    console.log(responses.map(({ status }) => status).join())
  `
  const outputs = await Promise.all(
    [1, 2].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', program, server.url, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
      })
      t.teardown(() => void child.kill('SIGKILL'))
      let output = ''
      child.stdout.on('data', (chunk) => (output += String(chunk)))
      await once(child, 'close')
      return output.trim()
    }),
  )
  t.same(outputs, ['200,200,200,200,200,200', '200,200,200,200,200,200'])
  t.equal(server.count('/auth/refresh'), 1)
  t.equal((await client.fetch('/me')).status, 200)
  await client.logout()
  await soon('the directory is empty', async () => (await readdir(path)).length === 0, 5_000)
})
