/** Clients that refresh as fast as possible. Each has its own session, and uses the token of the previous response. */
import { Pool } from 'undici'

export class Refreshers {
  readonly #pool: Pool
  readonly #tokens: string[]

  constructor(url: string, tokens: readonly string[]) {
    this.#pool = new Pool(url, { connections: tokens.length, pipelining: 1 })
    this.#tokens = [...tokens]
  }

  /**
   * Runs `clients` of them for some seconds, and returns the number of refreshes.
   *
   * @throws {Error} if a response isn't 200
   */
  async run(seconds: number, clients = this.#tokens.length): Promise<number> {
    const until = performance.now() + seconds * 1_000
    const counts = this.#tokens.slice(0, clients).map(async (_token, i) => {
      let count = 0
      for (; performance.now() < until; count += 1) await this.#refresh(i)
      return count
    })
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }

  async #refresh(i: number): Promise<void> {
    const { statusCode, body } = await this.#pool.request({
      method: 'POST',
      path: '/auth/refresh',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refresh_token: this.#tokens[i] }),
    })
    const text = await body.text()
    if (statusCode !== 200) throw new Error(`the response to a refresh is ${statusCode}: ${text}`)
    const { refresh_token } = JSON.parse(text) as { refresh_token: string }
    if (refresh_token === this.#tokens[i]) throw new Error('a refresh returned the previous token')
    this.#tokens[i] = refresh_token
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}
