import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { filesIn, root } from './setup.mjs'

const REDIS_TEST = '.redis.test.js'
/** Matches compiled code that starts a server, a process or a thread. */
const STARTS_SOMETHING =
  /\.listen\(|\bcreateServer\(|'node:(?:child_process|cluster|worker_threads)'|\/src\/(?:server|commands\/serve)\.js'/
const IMPORTED = /\bfrom '(\.[^']+)'|\bimport\(?'(\.[^']+)'|\bimport '(\.[^']+)'/g

/** Tests that start nothing but compute for seconds. `npm run test:fast` leaves them out. */
export const SLOW = [
  'test/login/users-file.test.js', // bcrypt and argon2 at full cost
  'test/simulation/simulation.test.js', // thousands of schedules
  'test/token/signing-key.test.js', // generates RSA keys
  'test/simulation/sessions.test.js', // hundreds of schedules
]

/** Returns true if the test needs a Redis. */
export const needsRedis = (file) => file.endsWith(REDIS_TEST)

/**
 * Returns the compiled test files, as sorted paths relative to `dist`. `unit` leaves out files that need a Redis. `fast`
 * also leaves out files that start a server or a process, and those in `SLOW`. Each filter is the path of a source or of
 * a compiled file, or a part of such a path. A file is selected if one of the filters matches.
 *
 * @throws {Error} if a filter matches no file, or no file is left
 */
export function selectTests({ filters = [], unit = false, fast = false } = {}) {
  const all = filesIn(join(root, 'dist/test'))
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => join('test', file))
    .toSorted()
  const wanted = filters.map((filter) => ({ filter, part: compiledPart(filter) }))
  for (const { filter, part } of wanted) {
    if (!all.some((file) => file.includes(part))) throw new Error(`No test file's path contains "${filter}"`)
  }
  const files = all
    .filter((file) => wanted.length === 0 || wanted.some(({ part }) => file.includes(part)))
    .filter((file) => !unit || !needsRedis(file))
    .filter((file) => !fast || isFast(file))
  if (files.length === 0)
    throw new Error('No test file is left, because --unit or --fast leaves out all that match')
  return files
}

/** Converts a filter to a part of a compiled file's path. */
function compiledPart(filter) {
  // npm runs scripts in the root folder. INIT_CWD is the folder in which npm was called.
  const path = resolve(process.env.INIT_CWD ?? root, filter)
  const part = existsSync(path) ? relative(root, path) : filter.replace(/^\.\//, '')
  return part.replace(/^dist\//, '').replace(/\.ts$/, '.js')
}

/** Returns true if neither the test nor a helper that it imports starts a server, a process or a thread. */
export function isFast(file) {
  return !needsRedis(file) && !SLOW.includes(file) && !startsSomething(file, new Set())
}

function startsSomething(file, seen) {
  if (seen.has(file)) return false
  seen.add(file)
  const path = join(root, 'dist', file)
  if (!existsSync(path)) return false // The import was part of a string.
  const text = readFileSync(path, 'utf8')
  if (STARTS_SOMETHING.test(text)) return true
  return [...text.matchAll(IMPORTED)]
    .map((match) => join(dirname(file), match[1] ?? match[2] ?? match[3]))
    .some((imported) => imported.startsWith('test/') && startsSomething(imported, seen))
}
