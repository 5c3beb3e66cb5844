/** `workers: 2`: what keeps workers from starting, at first and later. */
import { rename } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { listen } from '../support/forwarding.js'
import { home, soon } from '../support/gateway-process.js'
import {
  ask,
  deathsOf,
  pidsOf,
  runServe,
  serveWithWorkers,
  workersSettings,
} from '../support/gateway-workers.js'

t.test('a failed start ends everything once, with exit code 1', async (t) => {
  const directory = await home(t)
  const taken = { host: '127.0.0.1', port: await listen(t, createServer()) }
  const starts: [what: string, overrides: Record<string, unknown>, message: RegExp][] = [
    ['the memory store', { store: 'memory' }, /workers\b.*is 2, but store is memory/g],
    ['no users file', { login: { users: '/nowhere' } }, /users file \/nowhere/g],
    ['a port that is taken', { listen: taken }, /listen\.port: \d+ is in use/g],
    ['an admin port that is taken', { admin: taken }, /admin\.port: \d+ is in use/g],
  ]
  const runs = starts.map(([, overrides]) => runServe(t, directory, workersSettings(t, overrides)))
  for (const [i, { ended, lines, records }] of (await Promise.all(runs)).entries()) {
    const [what, , message] = starts[i]!
    t.equal((await ended)[0], 1, what)
    t.equal([...lines.stderr.matchAll(message)].length, 1, `${what}: ${lines.stderr}`)
    t.notMatch(lines.stderr, /\n\s+at /, 'and no stack')
    const events = new Set(records().map(({ event }) => event))
    t.notOk(events.has('started') || events.has('worker_died'), what)
  }
})

t.test(
  'a worker that can’t start any more is retried ever more rarely, while the other serves',
  async (t) => {
    const directory = await home(t)
    const gateway = await serveWithWorkers(t, {}, directory)
    const [victim] = pidsOf(gateway)
    const [users, aside] = [join(directory, 'users.htpasswd'), join(directory, 'aside')]
    await rename(users, aside)
    process.kill(victim!, 'SIGKILL')
    await soon('it has failed twice', () => deathsOf(gateway).length >= 3)
    t.equal((await ask(gateway.url, 'GET', '/healthz')).status, 200)
    const [killed, ...failures] = deathsOf(gateway).slice(0, 3)
    t.match(killed, { worker: victim, restartInMilliseconds: 100 })
    t.strictSame(
      failures.map(({ restartInMilliseconds }) => restartInMilliseconds),
      [200, 400],
    )
    for (const failure of failures) {
      t.match(failure, { code: 1, signal: null, reason: /users\.htpasswd can’t be read/ })
    }
    await rename(aside, users)
    await soon('it listens again', () => pidsOf(gateway).length === 3)
  },
)
