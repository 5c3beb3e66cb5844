import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { filesIn, root } from './setup.mjs'

const REDIS_TEST = '.redis.test.js'
/** Signs of a server, a process or a thread in a compiled file. */
const STARTS_SOMETHING =
  /\.listen\(|\bcreateServer\(|'node:(?:child_process|cluster|worker_threads)'|\/src\/(?:server|commands\/serve)\.js'/
const IMPORTED = /\bfrom '(\.[^']+)'|\bimport\(?'(\.[^']+)'|\bimport '(\.[^']+)'/g

/** Tests that start nothing, but need seconds of computing: `npm run test:fast` leaves them out. */
export const SLOW = [
  'test/login/users-file.test.js', // bcrypt and argon2 at full cost
  'test/simulation/simulation.test.js', // thousands of schedules
  'test/token/signing-key.test.js', // generates RSA keys
  'test/simulation/sessions.test.js', // hundreds of schedules
]

/** True if the test needs a Redis. */
export const needsRedis = (file) => file.endsWith(REDIS_TEST)

/**
 * The compiled test files, as paths relative to `dist`, sorted. `unit` leaves out those that need a Redis, `fast` all
 * that start a server or a process, or are in `SLOW`. Each filter is a path of a source or of a compiled file, or a part
 * of such a path; a file is selected if one of the filters matches.
 * @throws if a filter matches no file
 */
export function selectTests({ filters = [], unit = false, fast = false } = {}) {
  const all = filesIn(join(root, 'dist/test'))
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => join('test', file))
    .toSorted()
  const wanted = filters.map((filter) => ({ filter, part: compiledPart(filter) }))
  for (const { filter, part } of wanted) {
    if (!all.some((file) => file.includes(part))) throw new Error(`No test file's path has "${filter}" in it`)
  }
  const files = all
    .filter((file) => wanted.length === 0 || wanted.some(({ part }) => file.includes(part)))
    .filter((file) => !unit || !needsRedis(file))
    .filter((file) => !fast || isFast(file))
  if (files.length === 0) throw new Error('No test file is left: --unit and --fast leave some out')
  return files
}

/** The part of a compiled file's path that a filter stands for. */
function compiledPart(filter) {
  // npm runs scripts in the root; INIT_CWD is where the user is
  const path = resolve(process.env.INIT_CWD ?? root, filter)
  const part = existsSync(path) ? relative(root, path) : filter.replace(/^\.\//, '')
  return part.replace(/^dist\//, '').replace(/\.ts$/, '.js')
}

/** True if neither the test nor a helper that it imports starts a server, a process or a thread. */
export function isFast(file) {
  return !needsRedis(file) && !SLOW.includes(file) && !startsSomething(file, new Set())
}

function startsSomething(file, seen) {
  if (seen.has(file)) return false
  seen.add(file)
  const path = join(root, 'dist', file)
  if (!existsSync(path)) return false // an import inside a string
  const text = readFileSync(path, 'utf8')
  if (STARTS_SOMETHING.test(text)) return true
  return [...text.matchAll(IMPORTED)]
    .map((match) => join(dirname(file), match[1] ?? match[2] ?? match[3]))
    .some((imported) => imported.startsWith('test/') && startsSomething(imported, seen))
}
