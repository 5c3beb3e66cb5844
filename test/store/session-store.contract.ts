/** What every session store must do. Each adapter runs all of it. */
import type { Test } from 'tap'
import { rotationContract } from './rotation.contract.js'
import { reuseContract } from './reuse.contract.js'
import { limitsContract } from './limits.contract.js'
import { endingContract } from './ending.contract.js'
import { indexContract } from './index.contract.js'
import { recordContract } from './record.contract.js'
import { revokedTokensContract } from './revoked-tokens.contract.js'
import { exchangeContract } from './exchange.contract.js'
import type { OpenStore } from '../support/session-store.js'

export function sessionStoreContract(t: Test, open: OpenStore): void {
  for (const contract of [
    recordContract,
    rotationContract,
    reuseContract,
    limitsContract,
    endingContract,
    indexContract,
    revokedTokensContract,
    exchangeContract,
  ]) {
    contract(t, open)
  }
}
