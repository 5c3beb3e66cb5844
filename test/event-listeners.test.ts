import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import { EventListeners } from '../src/event-listeners.js'
import type { SecurityEvent } from '../src/session/security-events.js'

const LOGIN: SecurityEvent = { event: 'login', sub: 'ada', sid: 's1', ip: '203.0.113.7' }
const LOGOUT: SecurityEvent = { event: 'logout', sub: 'ada', sid: 's1', reason: 'logout' }

function open(_t: Test) {
  const lines: unknown[] = []
  const events = new EventListeners({ error: (line: unknown) => void lines.push(line) })
  return { events, lines }
}

t.test('a listener gets the events of its name, with the request id, and never synchronously', async (t) => {
  const { events } = open(t)
  const received: unknown[] = []
  events.on('login', (event) => received.push(event))
  events.deliver(LOGIN, 'r1')
  events.deliver(LOGOUT, 'r2')
  events.deliver(LOGIN, undefined)
  t.same(received, [])
  await turn()
  t.same(received, [
    { ...LOGIN, request_id: 'r1' },
    { ...LOGIN, request_id: undefined },
  ])
})

t.test('* gets every event, once gets one, and off removes both', async (t) => {
  const { events } = open(t)
  const [all, one, none]: string[][] = [[], [], []]
  events.on('*', ({ event }) => all!.push(event))
  events.once('login', ({ sid }) => one!.push(sid))
  const removed = () => none!.push('called')
  events.on('login', removed).once('*', removed)
  events.off('login', removed).off('*', removed)
  events.deliver(LOGIN, 'r1')
  events.deliver(LOGIN, 'r2')
  events.deliver(LOGOUT, 'r3')
  await turn()
  t.same(all, ['login', 'login', 'logout'])
  t.same(one, ['s1'])
  t.same(none, [])
})

t.test('a listener that throws or rejects is logged, and the others are called', async (t) => {
  const { events, lines } = open(t)
  let called = 0
  events.on('login', () => {
    throw new Error('broken')
  })
  events.on('login', () => Promise.reject(new Error('broken later')))
  events.on('login', () => {
    called += 1
  })
  for (let i = 0; i < 50; i += 1) events.deliver(LOGIN, 'r1')
  await turn()
  await turn()
  t.equal(called, 50)
  t.equal(lines.length, 1, 'at most one line per second')
  t.match(lines[0], { event: 'listener_failed', listens_to: 'login', err: { message: 'broken' } })
})

t.test('listeners can’t change an event for each other', async (t) => {
  const { events } = open(t)
  const received: string[] = []
  events.on('login', (event) => {
    ;(event as { sub: string }).sub = 'eve'
  })
  events.on('login', ({ sub }) => received.push(sub))
  events.deliver(LOGIN, 'r1')
  await turn()
  t.same(received, ['ada'])
})

t.test('an unknown name and a listener that is no function are errors', async (t) => {
  const { events } = open(t)
  for (const method of ['on', 'once', 'off'] as const) {
    t.throws(() => events[method]('sesion_ended' as 'login', () => {}), TypeError)
    t.throws(() => events[method]('newListener' as 'login', () => {}), TypeError)
    t.throws(() => events[method]('login', 'x' as unknown as () => void), TypeError)
  }
})
