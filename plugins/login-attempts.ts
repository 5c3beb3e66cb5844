import { createHash } from 'node:crypto'
import { countedName } from '../src/login/counted-name.js'
import type { LoginAttempts } from '../src/session/login.js'
import type { Core } from '../src/app/core.js'
import { addressKey } from './client-address.js'

/**
 * Counts the logins of one account from one address.
 *
 * The limit on failures by address doesn't apply to an account that has logged in from this address in the last week,
 * so that one guesser doesn't lock out an office behind one address. The limit by account still does.
 *
 * @param ip The client's address. `undefined` if it is unknown, in which case only the account is counted.
 */
export function createAttempts({ limiters }: Core, username: string, ip: string | undefined): LoginAttempts {
  // Hashed, because people sometimes type their password into the field for the name.
  const account = createHash('sha256').update(countedName(username)).digest('base64url')
  const address = ip === undefined ? undefined : addressKey(ip)
  const pair = `${account}:${address}`
  /** True if this login must not be remembered, or already is. */
  let isSettled = false
  return {
    account,
    address: address ?? 'unknown',
    async waitSeconds() {
      const [byAccount, successes, byAddress, addressSuccesses, known, learnt] = await Promise.all([
        limiters.loginPerAccount.waitSeconds(account),
        limiters.successPerAccount.waitSeconds(account),
        address === undefined ? 0 : limiters.loginPerAddress.waitSeconds(address),
        address === undefined ? 0 : limiters.successPerAddress.waitSeconds(address),
        limiters.knownLogin.waitSeconds(pair),
        limiters.knownPerAccount.waitSeconds(account),
      ])
      const isKnown = known > 0
      // Bounds the keys that one account can create by logging in from many addresses.
      isSettled = isKnown || learnt > 0 || address === undefined
      return Math.max(byAccount, successes, addressSuccesses, isKnown ? 0 : byAddress)
    },
    async countFailure() {
      const byAddress = address === undefined ? 0 : limiters.loginPerAddress.count(address)
      await Promise.all([limiters.loginPerAccount.count(account), byAddress])
    },
    async countSuccess() {
      const first = isSettled
        ? []
        : [limiters.knownLogin.count(pair), limiters.knownPerAccount.count(account)]
      const successes = [
        limiters.successPerAccount.count(account),
        ...(address === undefined ? [] : [limiters.successPerAddress.count(address)]),
      ]
      const [waits] = await Promise.all([Promise.all(successes), Promise.all(first)])
      return Math.max(...waits)
    },
  }
}
