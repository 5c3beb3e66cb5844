/** Random sequences of what can happen to clients that share a session. */
import t from 'tap'
import { createClient } from '../../web/client/client.js'
import { SharedStorage } from '../support/client-server.js'

/** A generator of numbers from 0 to 1 (mulberry32), so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const problem = (status: number, code: string) =>
  Response.json({ status, code }, { status, headers: { 'content-type': 'application/problem+json' } })

/** A model of the server: one session at a time, whose refresh tokens rotate with a grace for the predecessor. */
class ModelServer {
  readonly random: () => number
  /** Lets requests fail in ways that end no session. */
  isShaky = false
  refreshing = 0
  mostRefreshing = 0
  refreshes = 0
  /** The definitive refusals since the last login. */
  refusals = 0
  #session = 0
  #generation = 0
  #isAlive = false
  #validAccess = ''

  constructor(random: () => number) {
    this.random = random
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const { pathname } = new URL(input as string)
    const headers = new Headers(init?.headers)
    const isRefresh = pathname === '/auth/refresh'
    if (isRefresh) {
      this.refreshes += 1
      this.refreshing += 1
      this.mostRefreshing = Math.max(this.mostRefreshing, this.refreshing)
    }
    try {
      for (let ticks = this.random() * 5; ticks > 0; ticks -= 1) {
        await new Promise((resolve) => {
          setImmediate(resolve)
        })
      }
      const fate = this.isShaky ? this.random() : 1
      if (fate < 0.1) throw new TypeError('the request is lost')
      if (fate < 0.2) return problem(503, 'store_unavailable')
      if (fate < 0.3) return problem(429, 'rate_limited')
      const response = this.#respond(pathname, headers, init?.body)
      if (fate < 0.4) throw new TypeError('the response is lost')
      return response
    } finally {
      if (isRefresh) this.refreshing -= 1
    }
  }

  #respond(path: string, headers: Headers, body: unknown): Response {
    if (path === '/auth/login') {
      this.#session += 1
      this.#generation = 0
      this.#isAlive = true
      return this.#tokens()
    }
    if (path === '/auth/logout') {
      this.#isAlive = false
      return new Response(null, { status: 204 })
    }
    if (path === '/auth/refresh') {
      const { refresh_token: token } = JSON.parse(String(body)) as { refresh_token: string }
      const [session, generation] = token.split('.').map(Number) as [number, number]
      const age = this.#generation - generation
      if (this.#isAlive && session === this.#session && age <= 1) {
        if (age === 0) this.#generation += 1
        return this.#tokens()
      }
      this.refusals += 1
      this.#isAlive &&= session !== this.#session
      return problem(401, age > 1 ? 'refresh_token_reused' : 'session_ended')
    }
    const token = headers.get('authorization')?.slice('Bearer '.length)
    if (this.#isAlive && token === this.#validAccess) return Response.json({})
    if (this.#isAlive || this.random() < 0.5) return problem(401, 'token_revoked')
    this.refusals += 1
    return problem(401, 'session_ended')
  }

  #tokens(): Response {
    this.#validAccess = `a.${this.#session}.${this.#generation}`
    return Response.json({
      access_token: this.#validAccess,
      expires_in: 900,
      refresh_token: `${this.#session}.${this.#generation}`,
      refresh_expires_in: 9000,
      session_id: String(this.#session),
    })
  }

  revokeAccess(): void {
    this.#validAccess = ''
  }

  endSession(): void {
    this.#isAlive = false
  }

  get isAlive(): boolean {
    return this.#isAlive
  }
}

const CREDENTIALS = { username: 'a', password: 'p' }

for (let seed = 1; seed <= 25; seed += 1) {
  t.test(
    `sequence ${seed}: no session is lost without a definitive 401, and refreshes are single`,
    async (t) => {
      const random = seeded(seed)
      const server = new ModelServer(random)
      const values = new SharedStorage()
      // An exact lock: the one in the storage relies on time.
      let last: Promise<unknown> = Promise.resolve()
      const storage = Object.assign(values, {
        lock<T>(_name: string, work: () => Promise<T>): Promise<T> {
          const result = last.then(work)
          last = result.catch(() => {})
          return result
        },
      })
      let signOuts = 0
      let endings = 0
      const open = () =>
        createClient({
          baseUrl: 'http://model.test',
          storage,
          fetch: server.fetch,
          onSignedOut: () => void (signOuts += 1),
        })
      const clients = [open(), open()]
      await clients[0]!.login(CREDENTIALS)
      const stored = () => [...values.values.values()].some((text) => text.includes('session_id'))
      const work: Promise<unknown>[] = []

      for (let step = 0; step < 30; step += 1) {
        const one = Math.floor(random() * clients.length)
        const client = clients[one]!
        const choice = random()
        server.isShaky = random() < 0.2
        if (choice < 0.6) work.push(client.fetch('/me').catch(() => {}))
        else if (choice < 0.7) server.revokeAccess()
        else if (choice < 0.8) values.age(900)
        // A closed tab: another one takes over, while its requests may still arrive.
        else if (choice < 0.9) clients[one] = open()
        else if (choice < 0.95) {
          await Promise.all(work.splice(0))
          server.isShaky = false
          endings += 1
          if (random() < 0.5) await client.logout()
          else server.endSession()
          await client.fetch('/me')
          t.notOk(stored(), 'signed out')
          await clients[0]!.login(CREDENTIALS)
          server.refusals = 0
        }
        if (random() < 0.3) await Promise.all(work.splice(0))
        if (server.refusals === 0 && server.isAlive && !stored()) t.fail(`step ${step}: the session is lost`)
      }
      await Promise.all(work)
      server.isShaky = false
      t.ok(server.isAlive && stored(), 'the last session is there')
      t.equal((await clients[0]!.fetch('/me')).status, 200)
      t.equal(
        server.mostRefreshing,
        server.refreshes === 0 ? 0 : 1,
        `${server.mostRefreshing} at once, ${server.refreshes} in all`,
      )
      t.equal(server.refusals, 0, 'nothing was refused for good')
      if (endings === 0) t.equal(signOuts, 0, 'nobody was signed out')
    },
  )
}
