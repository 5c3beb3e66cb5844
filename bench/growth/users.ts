import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { PASSWORD, PASSWORD_HASH, post, startGateway } from './gateway.js'
import type { Launcher } from './gateway.js'

/** Changes a users file of `count` lines, and logs in as its new user while another client polls `/healthz`. */
export async function measureUsers(launcher: Launcher, count: number) {
  const file = join(launcher.directory, 'users.htpasswd')
  const write = async (last: string) => {
    const lines = Array.from({ length: count - 1 }, (_, i) => `user-${i}@example.com:${PASSWORD_HASH}`)
    await writeFile(`${file}.new`, [...lines, `${last}:${PASSWORD_HASH}`, ''].join('\n'))
    await rename(`${file}.new`, file)
  }
  await write('first')
  const gateway = await startGateway(launcher, { store: 'memory', login: { users: file } })
  if (!gateway) throw new Error('the gateway ended by itself')
  const login = (username: string) => post(`${gateway.url}/auth/login`, { username, password: PASSWORD })
  try {
    for (let i = 0; i < 20; i += 1) await login('first')
    const [usual, longest, waits]: [number[], number[], number[]] = [[], [], []]
    for (let i = 0; i < 20; i += 1) usual.push((await login('first')).took)
    for (let round = 0; round < 5; round += 1) {
      const name = `new-${round}`
      await write(name)
      const probe = probeHealth(gateway.url)
      await sleep(100)
      waits.push((await login(name)).took)
      await sleep(50)
      longest.push(await probe.stop())
    }
    return { usual, waits, longest }
  } finally {
    await gateway.stop()
  }
}

/** Polls `/healthz`. `stop` returns the longest response time (ms), which shows how long the event loop was blocked. */
function probeHealth(url: string) {
  const stopping = new AbortController()
  let longest = 0
  const running = (async () => {
    while (!stopping.signal.aborted) {
      const began = performance.now()
      await (await request(`${url}/healthz`)).body.dump()
      longest = Math.max(longest, performance.now() - began)
      await sleep(1)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await running
      return longest
    },
  }
}
