/** `workers: 2`: the primary leaves no worker behind, whatever ends it. */
import t from 'tap'
import { home, soon } from '../support/gateway-process.js'
import {
  pidsOf,
  primaryOf,
  runServe,
  serveWithWorkers,
  untilGone,
  workersSettings,
} from '../support/gateway-workers.js'

t.test('a worker that can’t stop is killed, and the exit code says so', async (t) => {
  const gateway = await serveWithWorkers(t, { timeouts: { shutdown: '300ms' } })
  const pids = pidsOf(gateway)
  process.kill(pids[0]!, 'SIGSTOP')
  t.equal(await gateway.stop('SIGTERM'), 1)
  await untilGone(pids)
})

t.test('a killed primary takes its workers along', async (t) => {
  const directory = await home(t)
  const { pid, records, ended } = await runServe(t, directory, workersSettings(t))
  await soon('it has started', () => records().some(({ event }) => event === 'started'))
  const pids = pidsOf({ records })
  t.equal(pids.length, 2)
  t.equal(primaryOf({ records }), pid)
  process.kill(pid, 'SIGKILL')
  await untilGone(pids)
  t.equal((await ended)[0], null)
})
