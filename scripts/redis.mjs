import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { findServer } from './servers.mjs'
import { root } from './setup.mjs'

/**
 * Prepares Redis for a run of the tests. All tests share one server: that of REDIS_URL, else one that is started here.
 * Some tests also start their own servers, in order to kill or freeze them, or to form a cluster. Needs a built `dist`.
 * Returns the environment for the tests, and `stop`.
 */
export async function prepareRedis(say = console.log) {
  const env = findServer('redis', say)
  const [means] = Object.values(env)
  if (process.env.REDIS_URL) {
    say(`Redis: the tests share the server of REDIS_URL, and start their own with ${means}`)
    return { env: { ...env, TEST_REDIS_URL: process.env.REDIS_URL }, stop: async () => {} }
  }
  Object.assign(process.env, env)
  // Imported from the tests, so that there is only one launcher.
  const { startRedis } = await import(pathToFileURL(join(root, 'dist/test/support/redis.js')).href)
  const endings = []
  const shared = await startRedis({ teardown: (end) => void endings.push(end) })
  say(`Redis: ${means}, started on port ${shared.port}`)
  return {
    env: { ...env, TEST_REDIS_URL: shared.url },
    stop: async () => {
      for (const end of endings.splice(0)) await end()
    },
  }
}
