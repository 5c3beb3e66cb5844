import type { Test } from 'tap'
import { loadGatewaySettings } from '../../src/config/load.js'
import { ConfigError } from '../../src/config/config-error.js'
import type { ConfigProblem } from '../../src/config/config-error.js'

const route = { path: '/', upstream: 'http://127.0.0.1:8080' }

/** A good configuration, for cases to change. */
export const good = {
  issuer: 'https://api.example.com',
  audience: 'https://api.example.com',
  routes: [route],
}

/** The good one's route, changed. */
export const withRoute = (change: object) => ({ routes: [{ ...route, ...change }] })

/** A change that makes the good configuration bad, the key that is to be blamed, and words of the message. */
export type Case = readonly [name: string, change: object, key: string, words: RegExp]

/** The problems of the good configuration, changed. */
export function problemsOf(change: object): readonly ConfigProblem[] {
  try {
    loadGatewaySettings({ preset: { name: 'test', values: { ...good, ...change } } })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

/** Each case must give exactly one problem, the expected one, and the unchanged configuration none. */
export function refuses(t: Test, cases: readonly Case[]): void {
  t.same(problemsOf({}), [], 'the configuration that the cases change is good')
  for (const [name, change, key, words] of cases) {
    t.test(`${name} is one error, at ${key}`, async (t) => {
      const problems = problemsOf(change)
      t.same(
        problems.map((problem) => problem.key),
        [key],
      )
      t.match(problems[0]?.message, words)
      t.equal(problems[0]?.source, /is missing/.test(problems[0]?.message ?? '') ? null : 'test')
    })
  }
}
