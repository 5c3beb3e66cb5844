import type { UnixMs } from '../clock.js'
import type { Sid } from '../session/session.js'
import type { CodeStore, CodeUse, CodeUseOutcome, StoredCode } from './code-store.js'

/** The least number of new codes between two sweeps, which remove expired codes. */
const SWEEP_EVERY = 1_000

/**
 * The store of one-time codes of the embedded mode, which serves one process. Every method is atomic because none
 * contains an `await`.
 */
export class MemoryCodeStore implements CodeStore {
  readonly #codes = new Map<string, { readonly code: StoredCode; first: Sid | undefined }>()
  #untilSweep = SWEEP_EVERY

  async create(code: StoredCode): Promise<void> {
    this.#sweep(code.createdAt)
    this.#codes.set(code.hash, { code, first: undefined })
  }

  async use({ hash, clientId, challenge, sid, now }: CodeUse): Promise<CodeUseOutcome> {
    const record = this.#codes.get(hash)
    if (!record || now >= record.code.expiresAt) return { kind: 'unknown' }
    const { code, first } = record
    const isForeign = code.clientId !== undefined && code.clientId !== clientId
    if (isForeign || code.challenge !== challenge) return { kind: 'mismatch' }
    if (first !== undefined) return { kind: 'reused', sid: first, sub: code.sub }
    record.first = sid
    return { kind: 'used', issuer: code.issuer, sub: code.sub, clientId: code.clientId }
  }

  #sweep(now: UnixMs): void {
    if (--this.#untilSweep > 0) return
    this.#untilSweep = Math.max(SWEEP_EVERY, this.#codes.size)
    for (const [hash, { code }] of this.#codes) if (now >= code.expiresAt) this.#codes.delete(hash)
  }
}
