import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The programs that tests run for real. A program without `image` can't be run with Docker. */
const SERVERS = {
  redis: {
    commands: ['redis-server', 'valkey-server'],
    image: 'redis:7',
    debian: 'redis-server',
    brew: 'redis',
  },
  // Debian installs nginx in a folder that isn't on the PATH of users.
  nginx: { commands: ['nginx', '../sbin/nginx'], debian: 'nginx', brew: 'nginx' },
  caddy: { commands: ['caddy'], debian: 'caddy', brew: 'caddy' },
  curl: { commands: ['curl'], debian: 'curl', brew: 'curl' },
  chromium: {
    commands: ['chromium', 'chromium-browser', 'google-chrome'],
    debian: 'chromium',
    brew: 'chromium',
  },
  // Not a server. Its library shifts the clock of a process.
  faketime: { commands: ['faketime'], debian: 'faketime', brew: 'libfaketime' },
}

/**
 * Finds a way to run `name`, in this order: a command on PATH, Docker if its engine runs, and a Debian package. The
 * package is only installed by root on Debian, such as in a container or in CI. Returns an environment variable for the
 * tests: `TEST_<NAME>_SERVER` with the path of a command, or `TEST_<NAME>_DOCKER` with an image.
 *
 * @throws {Error} if there is no way. The message contains commands that install the program.
 */
export function findServer(name, say = console.log) {
  const server = SERVERS[name]
  const variable = `TEST_${name.toUpperCase()}`
  const found = firstOnPath(server.commands)
  if (found) return { [`${variable}_SERVER`]: found }
  if (server.image && dockerHas(server.image, say)) return { [`${variable}_DOCKER`]: server.image }
  if (installDebianPackage(server.debian, say)) {
    const installed = firstOnPath(server.commands)
    if (installed) return { [`${variable}_SERVER`]: installed }
  }
  throw new Error(
    [
      `The tests need a real ${name}, but none was found (on PATH: ${server.commands.join(', ')}${server.image ? '; Docker' : ''}).`,
      `  Debian, Ubuntu:  sudo apt-get install ${server.debian}`,
      `  macOS:           brew install ${server.brew}`,
      ...(server.image ? [`  Docker:          start the engine; the tests then run ${server.image}`] : []),
      'npm run test:unit leaves out the tests that need it.',
    ].join('\n'),
  )
}

/**
 * Finds libfaketime like {@link findServer}. If there is none, it returns an empty variable, and the tests that move
 * clocks are skipped.
 *
 * @throws {Error} in CI, if there is none
 */
export function findFaketime(say = console.log) {
  try {
    return findServer('faketime', say)
  } catch (error) {
    if (process.env.CI) throw error
    say(`${error.message}\nWithout it, tests and faults that move the clocks of servers are SKIPPED.`)
    return { TEST_FAKETIME_SERVER: '' }
  }
}

function firstOnPath(commands) {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return commands.flatMap((command) => folders.map((folder) => join(folder, command))).find(isExecutable)
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function dockerHas(image, say) {
  // If the engine doesn't run, the client prints an empty version.
  const info = run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 5000, stdio: 'pipe' })
  if (info.status !== 0 || String(info.stdout).trim() === '') return false
  if (run('docker', ['image', 'inspect', image], { stdio: 'ignore' }).status === 0) return true
  say(`Fetching the Docker image ${image} …`)
  return run('docker', ['pull', '--quiet', image]).status === 0
}

function installDebianPackage(name, say) {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version') || !firstOnPath(['apt-get']))
    return false
  say(`Installing the Debian package ${name}, because no other way to run it was found …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const steps = [
    ['-q', 'update'],
    ['-q', 'install', '-y', '--no-install-recommends', name],
  ]
  return steps.every((step) => run('apt-get', step, { env }).status === 0)
}

/** Runs a command and shows only its errors. */
function run(command, args, options) {
  return spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options })
}
