import t from 'tap'
import { fillLog, openPipe, serveWithOutput } from '../support/gateway-output.js'
import { cleanUp, redisUrl, uniquePrefix } from '../support/redis.js'

t.test('with workers, a pipe that nobody reads costs log lines, and nothing else', async (t) => {
  const keyPrefix = uniquePrefix()
  cleanUp(t, keyPrefix)
  const gateway = await serveWithOutput(t, openPipe(t).writer, {
    workers: 2,
    store: redisUrl(),
    keyPrefix,
    timeouts: { shutdown: '2s' },
  })
  await fillLog(t, gateway)
  t.equal(await gateway.stop('SIGTERM'), 0)
})
