import { Cluster, Redis } from 'ioredis'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { redisErrorText } from '../../src/redis-error-text.js'
import { freePort } from '../support/free-port.js'

t.test(
  'errors of ioredis without a connection say what has happened, and name no options of ioredis',
  async (t) => {
    const port = await freePort()
    const never = { retryStrategy: () => null, clusterRetryStrategy: () => null }
    const clients = [
      new Redis(port, { enableOfflineQueue: false, ...never }),
      new Redis(port, { maxRetriesPerRequest: 0, ...never }),
      new Cluster([{ host: '127.0.0.1', port }], { enableOfflineQueue: false, ...never }),
    ]
    for (const client of clients) {
      client.on('error', () => {})
      const ask = () =>
        client.get('key').then(
          () => 'a reply',
          (error: Error) => redisErrorText(error.message),
        )
      const texts = [ask()]
      await sleep(0)
      client.disconnect()
      texts.push(ask())
      for (const text of await Promise.all(texts))
        t.match(
          text,
          /^(?:there is no connection to Redis|the connection to Redis was lost|no node of the Redis Cluster)/,
        )
    }
  },
)

t.test('a reply of Redis, and other messages, stay as they are', async (t) => {
  for (const text of [
    'NOPERM this user has no permissions',
    'CLOCK 2500',
    'connect ECONNREFUSED 127.0.0.1:6379',
  ])
    t.equal(redisErrorText(text), text)
  t.equal(redisErrorText('Command timed out'), 'Redis did not reply in time')
})
