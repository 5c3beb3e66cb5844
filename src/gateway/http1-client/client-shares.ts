/** The largest part of a pool's connections that the requests of one client may occupy. */
const MAX_SHARE = 0.5
/** The number of connections that one client may occupy in a small pool. */
const MIN_CONNECTIONS = 2
/** Number of addresses whose client is remembered, because finding it for an IPv6 address takes microseconds. */
const MAX_REMEMBERED = 10_000

/**
 * Counts the connections of a pool that each client occupies. One client can't occupy all of them, because the requests
 * of others would then wait until they time out.
 */
export class ClientShares {
  readonly #max: number
  readonly #group: (address: string) => string
  readonly #clients = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  /**
   * @param connections Maximum number of connections of the pool.
   * @param group Returns what counts as one client.
   */
  constructor(connections: number, group: (address: string) => string = (address) => address) {
    this.#max = Math.max(MIN_CONNECTIONS, Math.ceil(connections * MAX_SHARE))
    this.#group = group
  }

  /** Returns the client that an address belongs to. */
  find(address: string | undefined): string | undefined {
    if (address === undefined) return undefined
    const known = this.#clients.get(address)
    if (known !== undefined) return known
    if (this.#clients.size >= MAX_REMEMBERED) this.#clients.clear()
    const client = this.#group(address)
    this.#clients.set(address, client)
    return client
  }

  /** Returns true if the client may occupy another connection. An unknown client always may. */
  hasRoom(client: string | undefined): boolean {
    return client === undefined || (this.#counts.get(client) ?? 0) < this.#max
  }

  take(client: string | undefined): void {
    if (client !== undefined) this.#counts.set(client, (this.#counts.get(client) ?? 0) + 1)
  }

  release(client: string | undefined): void {
    if (client === undefined) return
    const count = this.#counts.get(client) ?? 0
    if (count > 1) this.#counts.set(client, count - 1)
    else this.#counts.delete(client)
  }
}
