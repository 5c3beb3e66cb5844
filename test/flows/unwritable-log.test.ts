/** The real process with a log that can't be written: a full disk, and readers that don't read. */
import { openSync, readSync } from 'node:fs'
import t from 'tap'
import type { Test } from 'tap'
import { call, logIn, soon } from '../support/gateway-process.js'
import { fillLog, openPipe, serveWithOutput } from '../support/gateway-output.js'

const outputs: readonly [name: string, open: (t: Test) => number | 'pipe'][] = [
  ['a full disk', () => openSync('/dev/full', 'w')],
  ['a pipe that nobody reads', (t) => openPipe(t).writer],
  ['a socket that nobody reads', () => 'pipe'],
]
for (const [name, open] of outputs) {
  t.test(`${name} costs log lines, which are counted, and nothing else`, async (t) => {
    const gateway = await serveWithOutput(t, open(t), { timeouts: { shutdown: '2s' } })
    await fillLog(t, gateway)
    const { access_token: token } = await logIn(gateway.url)
    t.equal((await call(gateway.url, 'POST', '/auth/logout', { token })).status, 204)
    t.equal(await gateway.stop('SIGTERM'), 0)
  })
}

t.test('with a pipe that nobody reads, a second signal ends the process', async (t) => {
  const gateway = await serveWithOutput(t, openPipe(t).writer, {
    timeouts: { drain: '10m', shutdown: '10m' },
  })
  await fillLog(t, gateway)
  const stopped = gateway.stop('SIGTERM')
  await soon('the gateway drains', async () => (await call(gateway.url, 'GET', '/readyz')).status === 503)
  gateway.child.kill('SIGTERM')
  t.equal(await stopped, 0)
})

t.test(
  'when the reader continues, all kept lines follow in order, with the number of dropped ones',
  async (t) => {
    const { reader, writer } = openPipe(t)
    const gateway = await serveWithOutput(t, writer)
    const dropped = await fillLog(t, gateway)
    const lines = readLines(reader)
    const report = await soon('the dropped lines are reported', () =>
      lines().find(({ event }) => event === 'log_dropped'),
    )
    t.match(report, { level: 40, lines: dropped })
    await call(gateway.url, 'GET', '/after')
    await soon('later requests are logged', () => lines().find(({ path }) => path === '/after'))
    const started = lines()
      .filter(({ event, path }) => event === 'request' && path !== '/healthz')
      .map(({ time }) => Number(time))
    t.strictSame(
      started,
      started.toSorted((a, b) => a - b),
    )
    t.equal(lines().filter(({ event }) => event === 'log_dropped').length, 1)
    t.equal(await gateway.stop('SIGTERM'), 0)
    t.equal(lines().at(-1)?.['event'], 'stopped')
  },
)

/** Returns a function that reads what the pipe has now, and returns all records so far. */
function readLines(fd: number): () => Record<string, unknown>[] {
  const chunk = Buffer.alloc(65_536)
  let text = ''
  return () => {
    try {
      for (let size; (size = readSync(fd, chunk)) > 0;) text += chunk.toString('utf8', 0, size)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}
