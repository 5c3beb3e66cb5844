/** `workers: 2`: the command ends as one process does, and its workers with it. */
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { listen } from '../support/forwarding.js'
import { call, soon } from '../support/gateway-process.js'
import {
  answersOf,
  ask,
  deathsOf,
  pidsOf,
  primaryOf,
  serveWithWorkers,
  untilGone,
} from '../support/gateway-workers.js'

t.test('SIGTERM lets open requests finish on each worker, and exits 0', async (t) => {
  const open: ServerResponse[] = []
  const slow = createServer((_request, response) => {
    response.write('begun, ')
    open.push(response)
  })
  const upstream = `http://127.0.0.1:${await listen(t, slow)}`
  const gateway = await serveWithWorkers(t, { routes: [{ path: '/', upstream, auth: 'none' }] })
  const pids = pidsOf(gateway)
  // One after the other, so that each worker gets one.
  const answers: ReturnType<typeof ask>[] = []
  for (const nth of [1, 2, 3, 4]) {
    answers.push(ask(gateway.url, 'GET', '/slow'))
    await soon('the upstream has the request', () => open.length === nth)
  }
  // As a supervisor does that signals every process of a service.
  for (const pid of pids) process.kill(pid, 'SIGTERM')
  const stopped = gateway.stop('SIGTERM')
  await soon('no new connection is taken', () =>
    ask(gateway.url, 'GET', '/healthz').then(
      () => false,
      () => true,
    ),
  )
  for (const response of open) response.end('finished')
  for (const answer of await Promise.all(answers)) {
    t.match(answer, { status: 200, text: 'begun, finished' })
  }
  t.equal(await stopped, 0)
  await untilGone(pids)
  const completed = gateway.records().filter(({ msg }) => msg === 'request completed')
  t.strictSame([...new Set(completed.map(({ pid }) => pid))].toSorted(), pids.toSorted(), 'both had some')
  t.strictSame(deathsOf(gateway), [], 'none was thought to have died')
})

t.test('requests that do not finish are cut after timeouts.shutdown on each worker', async (t) => {
  let open = 0
  const upstream = `http://127.0.0.1:${await listen(
    t,
    createServer(() => open++),
  )}`
  const gateway = await serveWithWorkers(t, {
    timeouts: { shutdown: '300ms' },
    routes: [{ path: '/', upstream, auth: 'none' }],
  })
  const answers = Array.from({ length: 4 }, () =>
    ask(gateway.url, 'GET', '/never').then(
      ({ status }) => status,
      () => 'cut',
    ),
  )
  await soon('the upstream has them', () => open === 4)
  t.equal(await gateway.stop('SIGTERM'), 0)
  for (const answer of await Promise.all(answers)) t.not(answer, 200)
  await untilGone(pidsOf(gateway))
})

t.test('all workers drain together, and a second signal ends the drain', async (t) => {
  const upstream = `http://127.0.0.1:${await listen(
    t,
    createServer((_request, response) => response.end('done')),
  )}`
  const gateway = await serveWithWorkers(t, {
    timeouts: { drain: '10m' },
    routes: [{ path: '/', upstream, auth: 'none' }],
  })
  const isReady = async () => (await ask(gateway.url, 'GET', '/readyz')).status === 200
  await soon('they are ready', isReady)
  const stopped = gateway.stop('SIGTERM')
  const pids = new Set(pidsOf(gateway))
  const unready = () => [...answersOf(gateway, 503).keys()].filter((pid) => pids.has(pid)).length
  // One after the other, so that each worker gets some.
  await soon('each has said that it is unready', async () => {
    await ask(gateway.url, 'GET', '/readyz')
    return unready() === pids.size
  })
  for (let nth = 0; nth < 4; nth++) {
    const answer = await call(gateway.url, 'GET', '/x')
    t.match(answer, { status: 200, text: 'done', headers: { connection: 'close' } })
  }
  t.equal((await call(gateway.adminUrl!, 'GET', '/metrics')).status, 200)
  void gateway.stop('SIGTERM')
  t.equal(await stopped, 0)
  const stages = gateway
    .records()
    .filter(({ event }) => /^(draining|listener_closed|stopped)$/.test(String(event)))
  t.strictSame(
    stages.map(({ event, pid }) => [event, pid]),
    ['draining', 'listener_closed', 'stopped'].map((event) => [event, primaryOf(gateway)]),
  )
  await untilGone([...pids])
})
