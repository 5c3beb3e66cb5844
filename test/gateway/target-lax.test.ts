/**
 * What a route leaves to its upstream (`targetAllow`) must open no other route, however that upstream reads the target:
 * random targets against a model of lax servers that knows nothing of how the gateway decides. `SEED=…` replays a run.
 */
import { Agent, request } from 'node:http'
import t from 'tap'
import { LAXITIES } from '../../src/gateway/lax-target.js'
import { startGateway, startUpstream } from '../support/gateway-process.js'
import { Random } from '../simulation/random.js'

const TARGETS = 4_000
const SEED = Number(process.env['SEED'] ?? 20_261)

const PIECES = (
  '/ / / // /// %2F %2f /%2F admin admin admin auth login x y %61dmin adm%69n a%64min/z ' +
  '; ;a ;a=1 ;/ ..; .; ;.. .. . ... %2e%2E %3B %3b %252F %5c %5C \\ % ' +
  '%23 %3F %3f %25 %E9 %FF %C0%AF %c0%ae %C1%A1dmin %2561dmin %25%32%66 ad%E9min %2500 %E0%80%AF %25252F'
).split(' ')

/** One thing that some server does to a path before it looks for what is asked. */
const HABITS: readonly ((path: string) => string)[] = [
  function decodes(path) {
    return path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  },
  function dropsParameters(path) {
    return path.replaceAll(/;[^/]*/g, '')
  },
  function stopsAtParameters(path) {
    return path.replace(/;.*$/, '')
  },
  function collapsesSlashes(path) {
    return path.replaceAll(/\/+/g, '/')
  },
  function decodesAgain(path) {
    return path.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  },
  function stopsAtHashes(path) {
    return path.replace(/#.*$/s, '')
  },
  function stopsAtQuestions(path) {
    return path.replace(/\?.*$/s, '')
  },
  function takesBackslashesForSlashes(path) {
    return path.replaceAll('\\', '/')
  },
  function dropsWhatIsNoText(path) {
    return path.replaceAll(/[\x80-\xff]/g, '')
  },
  function readsOverlongForms(path) {
    return path
      .replaceAll(/[\xc0\xc1]([\x80-\xbf])/g, (pair, last: string) =>
        String.fromCharCode(((pair.charCodeAt(0) & 1) << 6) | (last.charCodeAt(0) & 0x3f)),
      )
      .replaceAll(/\xe0\x80([\x80-\xbf])/g, (_, last: string) =>
        String.fromCharCode(last.charCodeAt(0) & 0x3f),
      )
  },
  function takesTheFirstForAHost(path) {
    return path.replace(/^\/{2,}[^/]*/, '') || '/'
  },
  function resolvesDots(path) {
    const kept: string[] = []
    for (const segment of path.replaceAll('\\', '/').split('/').slice(1)) {
      if (segment === '..') kept.pop()
      else if (segment !== '.') kept.push(segment)
    }
    return `/${kept.join('/')}`
  },
]

/** Every path that comes of some of the habits, each once, in any order. */
function readings(
  path: string,
  habits = HABITS,
  found = new Set<string>(),
  tried = new Set<string>(),
): Set<string> {
  found.add(path)
  const state = `${habits.map(({ name }) => name).join()} ${path}`
  if (tried.has(state)) return found
  tried.add(state)
  for (const habit of habits) {
    const read = habit(path)
    // What a habit leaves as it is, the others are tried on all the same.
    if (read !== path) {
      readings(
        read,
        habits.filter((other) => other !== habit),
        found,
        tried,
      )
    }
  }
  return found
}

const isGuarded = (path: string) => /^\/(?:admin|auth)(?:\/|$)/.test(path)

t.test('the model of lax servers finds the known ambiguities', async (t) => {
  for (const path of [
    '/admin;x',
    '/public/..;/admin',
    '//admin',
    '/%2Fadmin',
    '//x/admin',
    '/x;/../admin',
    '/;/y/admin',
    '/;x/auth;y/login',
    '/x%2F..%2Fadmin',
    '/%2561dmin',
    '/admin%23x',
    '/admin%3Fx',
    '/admin%3Bx',
    '/x%5C..%5Cadmin',
    '/ad%E9min',
    '/x/%C0%AE./admin',
    '/x%25%32%66..%25%32%66admin',
  ]) {
    t.ok([...readings(path)].some(isGuarded), path)
  }
  for (const path of ['/x%2Fadmin', '/x;admin', '/x//admin', '/administrator;x'])
    t.notOk([...readings(path)].some(isGuarded), path)
})

t.test(`seed ${SEED}: no accepted target reaches a guarded path`, async (t) => {
  const upstream = await startUpstream(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  t.teardown(() => agent.destroy())
  const { url } = await startGateway(t, {
    routes: [
      { path: '/', upstream: upstream.url, auth: 'none', targetAllow: LAXITIES },
      { path: '/admin', upstream: upstream.url, targetAllow: LAXITIES },
    ],
  })
  const { port } = new URL(url)
  const ask = (path: string) =>
    new Promise<number>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, agent }, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode!))
      })
      asked.once('error', reject).end()
    })

  const random = new Random(SEED)
  const targets = new Set<string>()
  while (targets.size < TARGETS) {
    const pieces = Array.from({ length: 1 + random.below(6) }, () => random.pick(PIECES)!)
    targets.add(`/${pieces.join('')}`)
  }
  const statuses = new Map<string, number>()
  const left = [...targets]
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let path = left.pop(); path !== undefined; path = left.pop()) statuses.set(path, await ask(path))
    }),
  )
  const passed = [...statuses].filter(([, status]) => status === 200).map(([path]) => path)
  t.strictSame(
    passed.filter((path) => [...readings(path)].some(isGuarded)),
    [],
    'no reading of what passed is guarded',
  )
  t.strictSame(
    upstream.seen.map(({ target }) => target).toSorted(),
    passed.toSorted(),
    'byte for byte, and nothing else',
  )
  t.strictSame(
    [...new Set(statuses.values())].filter((status) => ![200, 400, 401, 404].includes(status)),
    [],
  )
  for (const sign of [/;/, /%2f/i, /\/\//, /%23/, /%3f/i, /%25/, /%3b/i, /%5c/i, /%E9/]) {
    const lax = passed.filter((path) => sign.test(path)).length
    t.ok(lax > 30, `${lax} with ${sign} passed`)
  }
})
