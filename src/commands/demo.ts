import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashPassword } from '../login/users-file.js'
import { UsageError } from './command.js'
import type { Command } from './command.js'
import { startLegacyBlog } from './legacy-blog.js'
import { readSources, startGateway } from './serve.js'

const USER = { name: 'ada', password: 'gate-keeper-1843' }

export const demo: Command = {
  name: 'demo',
  summary: 'starts the gateway in front of a sample legacy API, and prints commands to try',
  help: () => `portcullis demo [--store redis://127.0.0.1:6379] [--listen.port 3000] [--setting value …]

Starts the sample blog and the gateway in front of it. Both listen on loopback. The demo accepts every
setting of "portcullis serve".`,
  async run(args) {
    const sources = readSources(args)
    if (sources.file !== undefined)
      throw new UsageError(
        '--config is for "serve", because the demo has its own settings; set single ones with flags',
      )
    const directory = await mkdtemp(join(tmpdir(), 'portcullis-demo-'))
    const blog = await startLegacyBlog('127.0.0.1', 0)
    const leave = async () => {
      await blog.close()
      await rm(directory, { recursive: true, force: true })
    }
    try {
      const users = join(directory, 'users.htpasswd')
      await writeFile(users, `${USER.name}:${await hashPassword(USER.password)}\n`, { mode: 0o600 })
      const preset = { name: 'the demo', values: await demoSettings(blog.url, users) }
      const server = await startGateway({ ...sources, preset }, leave)
      // Unlike a service, the demo ends with its terminal.
      process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'))
      console.log(instructions(server.url, server.adminUrl, join(directory, 'cookies')))
    } catch (error) {
      await leave()
      throw error
    }
  },
}

/** Returns the settings of the demo. Flags and environment variables override them. */
async function demoSettings(upstream: string, users: string) {
  return {
    listen: { host: '127.0.0.1', port: await portOr(3000) },
    admin: { host: '127.0.0.1', port: await portOr(9400) },
    store: 'memory',
    // Equal on all instances of the demo, so that each accepts the tokens of the others.
    issuer: 'https://demo.portcullis.example',
    audience: 'https://demo.portcullis.example',
    // The demo uses plain http, over which curl doesn't send Secure cookies.
    cookies: { secure: false },
    login: { users },
    pages: { title: 'Portcullis demo' },
    log: { level: 'warn' },
    routes: [
      { path: '/post/all', methods: ['GET'], upstream, onAnonymous: 'redirect' },
      { path: '/post', methods: ['GET'], upstream, auth: 'none' },
      { path: '/tag', methods: ['GET'], upstream, auth: 'none' },
      { path: '/', upstream, onAnonymous: 'redirect' },
    ],
  }
}

/** Returns the port if it is free, else 0, which picks any free port. */
function portOr(port: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(0))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(port)))
  })
}

function instructions(url: string, adminUrl: string | undefined, jar: string): string {
  const { name, password } = USER
  const body = JSON.stringify({ username: name, password, cookies: true })
  const json = `-H 'Content-Type: application/json'`
  const origin = `-H 'Origin: ${url}'`
  return `
Portcullis is running in front of a small blog without authentication.

  gateway   ${url}   (public: /post  /post/1  /tag/castle · protected: /post/all and everything else)
  metrics   ${adminUrl === undefined ? 'no admin listener' : `${adminUrl}/metrics`}
  login     ${name} / ${password}
  pages     ${url}/account   (open it in two browsers, and end the session of one in the other)

Paste these commands into another terminal, one by one:

1. log in (the tokens go into a cookie jar)
  curl -s -c ${jar} ${json} ${origin} -d '${body}' ${url}/auth/login

2. read a protected route through the gateway
  curl -s -b ${jar} ${url}/post/all

3. refresh: both tokens are new
  curl -s -b ${jar} -c ${jar} ${origin} -X POST ${url}/auth/refresh

4. log out (204: no instance accepts the session any more)
  curl -s -i -b ${jar} ${origin} -X POST ${url}/auth/logout

5. use the same token again: 401 session_ended
  curl -s -i -b ${jar} ${url}/post/all

Without "cookies": true the response contains the tokens. Send: Authorization: Bearer <access_token>
Stop with Ctrl-C.
`
}
