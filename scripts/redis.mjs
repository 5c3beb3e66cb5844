import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { findServer } from './servers.mjs'
import { root } from './setup.mjs'

/**
 * Makes Redis ready for a run of the tests: the server that all share (REDIS_URL, else a private one, started here),
 * and the means by which tests start their own, to kill, to freeze, or to join to a cluster. Needs a built `dist`.
 * Returns the environment for the tests, and `stop`.
 */
export async function prepareRedis(say = console.log) {
  const env = findServer('redis', say)
  const [means] = Object.values(env)
  if (process.env.REDIS_URL) {
    say(`Redis: REDIS_URL for what tests share, ${means} for their own`)
    return { env: { ...env, TEST_REDIS_URL: process.env.REDIS_URL }, stop: async () => {} }
  }
  Object.assign(process.env, env)
  // the tests' own launcher, so that there is one
  const { startRedis } = await import(pathToFileURL(join(root, 'dist/test/redis.js')).href)
  const endings = []
  const shared = await startRedis({ teardown: (end) => void endings.push(end) })
  say(`Redis: ${means}, private, on port ${shared.port}`)
  return {
    env: { ...env, TEST_REDIS_URL: shared.url },
    stop: async () => {
      for (const end of endings.splice(0)) await end()
    },
  }
}
