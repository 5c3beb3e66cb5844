import { storeUnavailable } from '../../src/errors.js'
import type { Denylist } from '../../src/revocation/denylist.js'

/** A denylist whose first `revoke` fails before anything is written; the rest is as it was. */
export function failingOnce(denylist: Denylist): Denylist & { readonly failures: number } {
  let failures = 0
  return {
    get failures() {
      return failures
    },
    check: (token) => denylist.check(token),
    checkInOutage: (token, onOutage) => denylist.checkInOutage(token, onOutage),
    peek: (token) => denylist.peek(token),
    version: () => denylist.version(),
    stamp: (sub) => denylist.stamp(sub),
    latestIssue: () => denylist.latestIssue(),
    trusts: (jtiPrefix, writtenAt) => denylist.trusts(jtiPrefix, writtenAt),
    async revoke(entries) {
      if (failures > 0) return denylist.revoke(entries)
      failures += 1
      throw storeUnavailable('the test says so')
    },
  }
}
