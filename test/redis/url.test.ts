import t from 'tap'
import { parseRedisUrl } from '../../src/redis/url.js'

const plain = {
  kind: 'single',
  nodes: [{ host: 'h', port: 6379 }],
  primary: undefined,
  db: 0,
  tls: false,
  username: undefined,
  password: undefined,
}

t.test('every form of a Redis URL is parsed', async (t) => {
  t.strictSame(parseRedisUrl('redis://h'), plain)
  t.strictSame(parseRedisUrl('redis://h:7000/3'), { ...plain, nodes: [{ host: 'h', port: 7000 }], db: 3 })
  t.strictSame(parseRedisUrl('rediss://h'), { ...plain, tls: true })
  t.strictSame(parseRedisUrl('redis://[::1]:7000'), { ...plain, nodes: [{ host: '::1', port: 7000 }] })
  t.strictSame(parseRedisUrl('redis+cluster://a:1,b'), {
    ...plain,
    kind: 'cluster',
    nodes: [
      { host: 'a', port: 1 },
      { host: 'b', port: 6379 },
    ],
  })
  t.strictSame(parseRedisUrl('redis+sentinel://a,b:2/main/4'), {
    ...plain,
    kind: 'sentinel',
    nodes: [
      { host: 'a', port: 26_379 },
      { host: 'b', port: 2 },
    ],
    primary: 'main',
    db: 4,
  })
})

t.test('a password may have any escaped character, and needs no user name', async (t) => {
  t.match(parseRedisUrl('redis://u%40x:p%2F%3A%23@h'), { username: 'u@x', password: 'p/:#' })
  t.match(parseRedisUrl('redis://:a:b@h'), { username: undefined, password: 'a:b' })
})

t.test('an invalid Redis URL is refused without repeating its password', async (t) => {
  for (const url of ['http://u:hunter2@h', 'redis:hunter2']) {
    t.throws(() => parseRedisUrl(url), { name: 'RedisUrlError', message: /^is not a store; [^@]*$/ })
  }
})

t.test('a lone % in the credentials is reported without repeating the credentials', async (t) => {
  const parts = { 'redis://u:50%off@h': 'password', 'redis://:%ff@h': 'password', 'redis://a%:p@h': 'user' }
  for (const [url, part] of Object.entries(parts)) {
    const message = `has a % in the ${part} that starts no valid UTF-8 escape; write %25 for a literal %`
    t.throws(() => parseRedisUrl(url), { name: 'RedisUrlError', message })
  }
})
