import t from 'tap'
import { Random } from '../simulation/random.js'
import { compileRoutes } from '../../src/gateway/routes.js'
import { checkTarget } from '../../src/gateway/request-target.js'
import type { TargetRefusal } from '../../src/gateway/target-faults.js'

const limits = { target: 8192 }

/** target → what it is compared with routes as */
const GOOD: [target: string, match: string][] = [
  ['/', '/'],
  ['/post', '/post'],
  ['/post/', '/post/'],
  ['/post/1?x=1', '/post/1'],
  ['/?', '/'],
  ['/a?b?c', '/a'],
  ['/a.b/c.d', '/a.b/c.d'],
  ['/a../b', '/a../b'],
  ['/.well-known/x', '/.well-known/x'],
  ['/.../x', '/.../x'],
  ['/..a/x', '/..a/x'],
  ['/%61dmin', '/admin'],
  ['/%41', '/A'],
  ['/%7euser', '/~user'],
  ['/a%2db%5fc', '/a-b_c'],
  ['/a%20b', '/a%20b'],
  ['/caf%c3%a9', '/caf%C3%A9'],
  ['/%e2%82%ac', '/%E2%82%AC'],
  ['/%F0%9F%98%80', '/%F0%9F%98%80'],
  ['/%ed%9f%bf', '/%ED%9F%BF'],
  ['/%f4%8f%bf%bf', '/%F4%8F%BF%BF'],
  ["/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,="],
  ['/@user:pass/x', '/@user:pass/x'],
  ['/%3Cscript%3E', '/%3Cscript%3E'],
  ['/a|b[c]', '/a|b[c]'],
  ['/x?next=//evil.example/..%2f..;a\\b%00%zz', '/x'],
  ['/x?http://user@host/', '/x'],
]

const BAD: [target: string, reason: TargetRefusal][] = [
  ['', 'empty'],
  ['*', 'asterisk_form'],
  ['http://evil.example/', 'absolute_form'],
  ['HTTPS://user:pass@evil.example/x', 'absolute_form'],
  ['evil.example:80', 'authority_form'],
  ['user@evil.example:443', 'authority_form'],
  ['post', 'authority_form'],
  ['?x', 'authority_form'],
  ['\\post', 'authority_form'],
  ['%2fpost', 'authority_form'],
  ['//evil.example/', 'empty_segment'],
  ['/a//b', 'empty_segment'],
  ['/a//', 'empty_segment'],
  ['//', 'empty_segment'],
  ['/a\\b', 'backslash'],
  ['/\\evil.example', 'backslash'],
  ['/public/a\\..\\..\\api/x', 'backslash'],
  ['/a;b=c', 'semicolon'],
  ['/a;/../b', 'semicolon'],
  ['/..;/manager', 'semicolon'],
  ['/.', 'dot_segment'],
  ['/..', 'dot_segment'],
  ['/./a', 'dot_segment'],
  ['/a/../b', 'dot_segment'],
  ['/a/..', 'dot_segment'],
  ['/a/.?x', 'dot_segment'],
  ['/%2e/a', 'encoded_delimiter'],
  ['/%2E%2e/a', 'encoded_delimiter'],
  ['/.%2e/a', 'encoded_delimiter'],
  ['/a%2ehtml', 'encoded_delimiter'],
  ['/a%2fb', 'encoded_delimiter'],
  ['/a%2Fb', 'encoded_delimiter'],
  ['/a%5cb', 'encoded_delimiter'],
  ['/a%3bb', 'encoded_delimiter'],
  ['/a%23b', 'encoded_delimiter'],
  ['/a%3fb', 'encoded_delimiter'],
  ['/a%25', 'encoded_delimiter'],
  ['/%252e%252e/a', 'encoded_delimiter'],
  ['/%25252e', 'encoded_delimiter'],
  ['/a%00', 'encoded_control'],
  ['/a%0d%0aX:y', 'encoded_control'],
  ['/a%09', 'encoded_control'],
  ['/a%7f', 'encoded_control'],
  ['/a%c2%85', 'encoded_control'],
  ['/a%', 'malformed_escape'],
  ['/a%4', 'malformed_escape'],
  ['/a%zz', 'malformed_escape'],
  ['/a%4g', 'malformed_escape'],
  ['/a%u002e', 'malformed_escape'],
  ['/a% 41', 'raw_control_or_space'],
  ['/%c0%ae%c0%ae/', 'not_utf8'],
  ['/%c0%af', 'not_utf8'],
  ['/%c1%9c', 'not_utf8'],
  ['/%e0%80%af', 'not_utf8'],
  ['/%e0%9f%bf', 'not_utf8'],
  ['/%f0%80%80%af', 'not_utf8'],
  ['/%f0%8f%bf%bf', 'not_utf8'],
  ['/%ed%a0%80', 'not_utf8'],
  ['/%f4%90%80%80', 'not_utf8'],
  ['/%f8%88%80%80%80', 'not_utf8'],
  ['/%80', 'not_utf8'],
  ['/%bf', 'not_utf8'],
  ['/%c3', 'not_utf8'],
  ['/%c3/a', 'not_utf8'],
  ['/%e2%82', 'not_utf8'],
  ['/%e2%82a', 'not_utf8'],
  ['/%c3%zz', 'not_utf8'],
  ['/%fe%ff', 'not_utf8'],
  ['/a#b', 'fragment'],
  ['/a?b#c', 'fragment'],
  ['/a b', 'raw_control_or_space'],
  ['/a?b c', 'raw_control_or_space'],
  ['/a\tb', 'raw_control_or_space'],
  ['/a\0', 'raw_control_or_space'],
  ['/a?b\r\nX: y', 'raw_control_or_space'],
  ['/a\x7f', 'raw_control_or_space'],
  ['/caf\xe9', 'raw_non_ascii'],
  ['/a?caf\xc3\xa9', 'raw_non_ascii'],
  ['/\uff0e\uff0e/', 'raw_non_ascii'],
]

t.test('accepted request targets, and the paths that routes see', async (t) => {
  for (const [target, match] of GOOD) {
    const judged = checkTarget(target, limits)
    const mark = target.indexOf('?')
    t.strictSame(
      judged,
      {
        ok: true,
        raw: target,
        path: mark === -1 ? target : target.slice(0, mark),
        query: mark === -1 ? undefined : target.slice(mark + 1),
        match,
      },
      JSON.stringify(target),
    )
  }
})

t.test('refused request targets, and the reasons', async (t) => {
  for (const [target, reason] of BAD) {
    const judged = checkTarget(target, limits)
    t.match(judged, { ok: false, reason }, JSON.stringify(target))
  }
  t.strictSame(checkTarget(undefined, limits), { ok: false, reason: 'empty' })
})

t.test('one byte over the limit is too long', async (t) => {
  const target = `/${'a'.repeat(99)}`
  t.equal(checkTarget(target, { target: 100 }).ok, true)
  t.strictSame(checkTarget(`${target}a`, { target: 100 }), { ok: false, reason: 'too_long' })
})

t.test('every byte outside visible ASCII is refused raw, in path and query', async (t) => {
  for (let code = 0; code < 256; code++) {
    if (code > 0x20 && code < 0x7f) continue
    const character = String.fromCharCode(code)
    t.equal(checkTarget(`/a${character}b`, limits).ok, false)
    t.equal(checkTarget(`/a?${character}`, limits).ok, false)
  }
})

t.test('hostile targets of a megabyte take linear time', async (t) => {
  const size = 1 << 20
  const hostile = ['/a', '/.a', '%61', '%c3%a9', '/.', 'a?', '/a.', '%c3'].map((part) =>
    `/${part.repeat(size / part.length)}`.slice(0, size),
  )
  hostile.push(`/${'a'.repeat(size)}\0`, `/${'/a'.repeat(size / 2)}?\x80`, `/a${'/a'.repeat(size / 2)}#`)
  const started = performance.now()
  for (const target of hostile) checkTarget(target, { target: 4 * size })
  t.ok(performance.now() - started < 5000, 'eleven of them within 5 s; a quadratic judge takes minutes')
})

const PIECES = [
  '/ / / // \\ . .. ./ ../ ; ;a=b % %2 ? # : @',
  'public admin post a b 1 p %70 %61 %41 %2e %2E %2f %5c %3b %25',
  '%252e %252f %c0%ae %c0%af %e0%80%ae %c3%a9 %00 %20 %u002e %09 %ef%bc%8e',
]
  .flatMap((line) => line.split(' '))
  .concat(' ', '\t')

/** What careless upstreams do with a path. */
const DECODERS: ((path: string) => string)[] = [
  (path) => path,
  decodeOnce,
  (path) => decodeOnce(decodeOnce(path)),
  (path) => decodeOnce(path).replaceAll('\\', '/'),
  (path) => decodeOnce(path).replace(/;[^/]*/g, ''),
  (path) => decodeOnce(path.replace(/;[^/]*/g, '')).replaceAll('\\', '/'),
  (path) => decodeOnce(path).split('?', 1)[0]!.split('#', 1)[0]!,
  (path) => unescapeBytes(path).split('\0', 1)[0]!,
]

function decodeOnce(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return unescapeBytes(path)
  }
}

function unescapeBytes(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

/** Collapses slashes, then walks dot segments, as file servers do. */
function walked(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  return `/${kept.join('/')}`
}

t.test(
  '10,000 random targets: an accepted one reaches the same route in every decoding of an upstream',
  async (t) => {
    const routes = compileRoutes(['/', '/public', '/public/post', '/admin', '/a/b'].map((path) => ({ path })))
    const random = new Random(20_261)
    let passed = 0
    let refused = 0
    const strayed: string[] = []
    for (let n = 0; n < 10_000; n++) {
      let target = '/'
      for (let pieces = 1 + random.below(5); pieces > 0; pieces--) {
        target += random.pick(PIECES)!
      }
      const judged = checkTarget(target, limits)
      if (!judged.ok) {
        refused++
        continue
      }
      passed++
      const route = routes.find('GET', judged.match)
      for (const decode of DECODERS) {
        if (routes.find('GET', walked(decode(judged.path))) !== route) strayed.push(target)
      }
    }
    t.strictSame(strayed, [])
    t.ok(passed > 1000, `${passed} passed`)
    t.ok(refused > 1000, `${refused} refused`)
  },
)
