import { PortcullisError } from '../errors.js'

/** The origin of a login. Logins of one account, and of one address, share a turn. */
export interface LoginOrigin {
  readonly account: string
  /** The address key of the client. */
  readonly address: string
}

interface WaitingLogin extends LoginOrigin {
  readonly start: () => void
  readonly refuse: (error: PortcullisError) => void
}

/**
 * Limits how many logins are processed at once, and how many may wait. A flood of logins then neither starves the
 * verification of tokens nor grows an unbounded queue.
 *
 * The queue is fair: addresses take turns, and so do the accounts of one address. If the queue is full, a login takes
 * the place of one from the address, or of the account, that has the most logins in it. A flood from one address or
 * with one account therefore delays only itself.
 */
export class WorkSlots {
  readonly #queueLimit: number
  readonly #waiting: WaitingLogin[] = []
  /** When each address and account that has waiting logins last had its turn, as a serial number. */
  readonly #turns = new Map<string, number>()
  #serial = 0
  #free: number

  /**
   * @param size Maximum number of logins at once.
   * @param queueLimit Maximum number of logins that wait.
   */
  constructor(size: number, queueLimit: number) {
    this.#free = size
    this.#queueLimit = queueLimit
  }

  /**
   * Runs the work as soon as a slot is free.
   *
   * @throws {PortcullisError} `overloaded` if the queue is full; or rejects as `work` does
   */
  async run<T>(origin: LoginOrigin, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await this.#wait(origin)
    try {
      return await work()
    } finally {
      const next = this.#takeNext()
      if (next) next.start()
      else this.#free += 1
    }
  }

  #wait(origin: LoginOrigin): Promise<void> {
    if (this.#waiting.length >= this.#queueLimit) {
      const displaced = this.#findDisplaced(origin)
      if (displaced === undefined) throw queueFull()
      this.#remove(displaced)
      displaced.refuse(queueFull())
    }
    return new Promise((start, refuse) => this.#waiting.push({ ...origin, start, refuse }))
  }

  /** Takes the login whose address had its turn longest ago, and among those the one whose account had. */
  #takeNext(): WaitingLogin | undefined {
    let next = this.#waiting[0]
    if (next === undefined) return undefined
    for (const login of this.#waiting) {
      const [address, account] = [this.#turnOf(login.address), this.#turnOf(accountKey(login))]
      const [bestAddress, bestAccount] = [this.#turnOf(next.address), this.#turnOf(accountKey(next))]
      if (address < bestAddress || (address === bestAddress && account < bestAccount)) next = login
    }
    this.#serial += 1
    this.#turns.set(next.address, this.#serial).set(accountKey(next), this.#serial)
    this.#remove(next)
    return next
  }

  /** Returns the waiting login that makes room for a newcomer, or `undefined` if the newcomer is refused. */
  #findDisplaced({ address, account }: LoginOrigin): WaitingLogin | undefined {
    const others = findCrowd(this.#waiting, (login) => login.address, address)
    if (others) return (findCrowd(others, accountKey, '') ?? others).at(-1)
    const sameAddress = this.#waiting.filter((login) => login.address === address)
    return findCrowd(sameAddress, accountKey, accountKey({ address, account }))?.at(-1)
  }

  #turnOf(key: string): number {
    return this.#turns.get(key) ?? 0
  }

  #remove(login: WaitingLogin): void {
    this.#waiting.splice(this.#waiting.indexOf(login), 1)
    // Turns are forgotten with the last waiting login, so that they don't grow with every name that was tried.
    const { address } = login
    if (!this.#waiting.some((other) => other.address === address)) this.#turns.delete(address)
    const account = accountKey(login)
    if (!this.#waiting.some((other) => accountKey(other) === account)) this.#turns.delete(account)
  }
}

/**
 * Returns the logins of the key that has the most, in their order. Returns `undefined` if the key `own` would have as
 * many with one more.
 */
function findCrowd(
  logins: readonly WaitingLogin[],
  keyOf: (login: LoginOrigin) => string,
  own: string,
): WaitingLogin[] | undefined {
  const groups = new Map<string, WaitingLogin[]>()
  for (const login of logins) {
    const key = keyOf(login)
    groups.set(key, [...(groups.get(key) ?? []), login])
  }
  const [crowd] = [...groups.values()].toSorted((one, other) => other.length - one.length)
  const ownCount = groups.get(own)?.length ?? 0
  return crowd && crowd.length > ownCount + 1 ? crowd : undefined
}

/** The key of an account at one address. */
function accountKey({ address, account }: LoginOrigin): string {
  return `${address} ${account}`
}

function queueFull(): PortcullisError {
  return new PortcullisError('overloaded', {
    detail: 'Too many logins are waiting. Try again in a few seconds.',
  })
}
