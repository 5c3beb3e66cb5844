import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The servers that tests run for real: one line each. Without `image`, Docker is no way to get it. */
const SERVERS = {
  redis: {
    commands: ['redis-server', 'valkey-server'],
    image: 'redis:7',
    debian: 'redis-server',
    brew: 'redis',
  },
  // Debian's users haven't its folder on their PATH.
  nginx: { commands: ['nginx', '../sbin/nginx'], debian: 'nginx', brew: 'nginx' },
  caddy: { commands: ['caddy'], debian: 'caddy', brew: 'caddy' },
  curl: { commands: ['curl'], debian: 'curl', brew: 'curl' },
  chromium: {
    commands: ['chromium', 'chromium-browser', 'google-chrome'],
    debian: 'chromium',
    brew: 'chromium',
  },
  // Not a server: its library moves the clock of a process.
  faketime: { commands: ['faketime'], debian: 'faketime', brew: 'libfaketime' },
}

/**
 * Finds a way to run `name`, in this order: a command on PATH, a Docker engine that answers, and, as root on Debian
 * (a container, CI), Debian's package, which is then installed. Returns the environment variable that tells the
 * tests: `TEST_<NAME>_SERVER`, a command's path, or `TEST_<NAME>_DOCKER`, an image.
 * @throws when there is no way, with the lines that would install it
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
      `The tests need a real ${name}, and none was found (on PATH: ${server.commands.join(', ')}${server.image ? '; Docker' : ''}).`,
      `  Debian, Ubuntu:  sudo apt-get install ${server.debian}`,
      `  macOS:           brew install ${server.brew}`,
      ...(server.image ? [`  Docker:          start the engine; the tests then run ${server.image}`] : []),
      'npm run test:unit leaves out the tests that need it.',
    ].join('\n'),
  )
}

/** As `findServer('faketime')`; where it can't be had, the tests that move clocks are told so, but in CI it throws. */
export function findFaketime(say = console.log) {
  try {
    return findServer('faketime', say)
  } catch (error) {
    if (process.env.CI) throw error
    say(`${error.message}\nWithout it no clock is moved: that part of the history checker is LEFT OUT.`)
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
  // a client without an engine prints an empty version
  const info = run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 5000, stdio: 'pipe' })
  if (info.status !== 0 || String(info.stdout).trim() === '') return false
  if (run('docker', ['image', 'inspect', image], { stdio: 'ignore' }).status === 0) return true
  say(`Fetching the Docker image ${image} …`)
  return run('docker', ['pull', '--quiet', image]).status === 0
}

function installDebianPackage(name, say) {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version') || !firstOnPath(['apt-get']))
    return false
  say(`Installing Debian's package ${name}: running as root, and there is no other way here …`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const steps = [
    ['-q', 'update'],
    ['-q', 'install', '-y', '--no-install-recommends', name],
  ]
  return steps.every((step) => run('apt-get', step, { env }).status === 0)
}

/** Shows only the errors. */
function run(command, args, options) {
  return spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options })
}
