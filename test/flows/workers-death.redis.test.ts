/** `workers: 2`: one that dies takes its own requests along, nothing else, and is replaced. */
import { connect } from 'node:net'
import t from 'tap'
import { logIn, soon } from '../support/gateway-process.js'
import {
  answersOf,
  ask,
  deathsOf,
  isAlive,
  metric,
  pidsOf,
  serveWithWorkers,
  untilGone,
  untilMetric,
} from '../support/gateway-workers.js'

const gateway = await serveWithWorkers(t)
const { url } = gateway

t.test(
  'a worker is killed under load: at most its own requests fail, and another one replaces it',
  async (t) => {
    const [victim, other] = pidsOf(gateway)
    const { access_token } = await logIn(url)
    const refusals = 'portcullis_refusals_total{code="credentials_missing"}'
    for (let i = 0; i < 20; i++) await ask(url, 'GET', '/auth/me')
    await untilMetric(gateway, refusals, 20)

    const load = { isOver: false, asked: 0, failed: 0 }
    const loading = (async () => {
      while (!load.isOver) {
        load.asked += 1
        const answer = await ask(url, 'GET', '/auth/me', { token: access_token }).catch(() => undefined)
        if (answer?.status !== 200) load.failed += 1
      }
    })()
    await soon('both have answered', () => answersOf(gateway, 200).size === 2)
    process.kill(victim!, 'SIGKILL')
    await untilGone([victim!])
    t.ok((await metric(gateway, refusals)) >= 20, 'no count goes back')
    const third = await soon('another listens', () => pidsOf(gateway)[2])
    await soon('it answers', () => answersOf(gateway, 200).has(third))
    load.isOver = true
    await loading
    // The one that it was about to answer, and one that was given to it before its end was noticed.
    t.ok(load.failed <= 2, `${load.failed} of ${load.asked} failed`)
    t.ok(isAlive(other!), 'the other one is as it was')

    const deaths = deathsOf(gateway)
    t.match(deaths, [{ worker: victim, code: null, signal: 'SIGKILL', restartInMilliseconds: 100 }])
    t.equal(deaths.length, 1)
    t.equal(await metric(gateway, 'portcullis_worker_restarts_total'), 1)
    t.equal(await metric(gateway, 'portcullis_workers'), 2)
    for (let i = 0; i < 20; i++) await ask(url, 'GET', '/auth/me')
    // None is lost that had been told.
    await untilMetric(gateway, refusals, 40)
  },
)

t.test('a connection given to a worker that dies before it accepts is closed', async (t) => {
  const before = pidsOf(gateway).length
  const victim = pidsOf(gateway).find((pid) => isAlive(pid))!
  process.kill(victim, 'SIGSTOP')
  const sockets = Array.from({ length: 4 }, () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1').resume()
    socket.on('error', () => {})
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    return socket
  })
  const open = () => sockets.filter(({ closed }) => !closed)
  await soon('all but the one that the stopped worker has are answered', () => open().length === 1)
  const [left] = open()
  t.equal(left!.bytesRead, 0)
  process.kill(victim, 'SIGKILL')
  await soon('it is closed', () => left!.closed)
  t.equal(left!.bytesRead, 0, 'without an answer')
  await soon('another listens', () => pidsOf(gateway).length > before)
})

t.test('all workers die at once: they are replaced on the same port', async (t) => {
  const before = pidsOf(gateway)
  for (const pid of before.filter((one) => isAlive(one))) process.kill(pid, 'SIGKILL')
  await untilGone(before)
  const others = await soon('two others listen', () => {
    const found = pidsOf(gateway).slice(before.length)
    return found.length === 2 ? found : undefined
  })
  for (let i = 0; i < 6; i++) t.equal((await ask(url, 'GET', '/healthz')).status, 200)
  await soon('both have answered', () => others.every((pid) => answersOf(gateway, 200).has(pid)))
})
