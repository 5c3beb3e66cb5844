/** Proofs of refresh tokens, for tests without a gateway. */
import { randomBytes, createSecretKey } from 'node:crypto'
import { RefreshTokenProof } from '../../src/token/refresh-token-proof.js'

/** The proof of all instances in one test file. */
export const PROOF = createProof()

/** Returns the proof of a deployment with another signing key. */
export function createProof(): RefreshTokenProof {
  return new RefreshTokenProof([createSecretKey(randomBytes(32))])
}
