/** What every store of one-time codes must do. Each adapter runs all of it. */
import type { Test } from 'tap'
import type { Milliseconds } from '../../src/clock.js'
import type { CodeStore, CodeUse, CodeUseOutcome, StoredCode } from '../../src/store/code-store.js'
import type { Sid } from '../../src/session/session.js'
import { newCode } from '../../src/token/one-time-code.js'
import { hashSecret, newRefreshToken } from '../../src/token/refresh-token.js'
import type { MovableClock } from '../support/movable-clock.js'

/** A store of codes under test, and its time. */
export interface CodeHarness {
  readonly codes: CodeStore
  readonly clock: MovableClock
  /** Moves the clock and the lives of what is stored. */
  advance(milliseconds: Milliseconds): Promise<void>
}

export const LIFE: Milliseconds = 10 * 60_000

export function newSid(): Sid {
  return newRefreshToken().sid
}

/** Stores a code with these properties, and returns it as it was stored. */
export async function store(
  { codes, clock }: CodeHarness,
  about: Partial<StoredCode> = {},
): Promise<StoredCode> {
  const code: StoredCode = {
    hash: hashSecret(newCode()),
    issuer: newSid(),
    sub: 'alice',
    clientId: undefined,
    challenge: undefined,
    createdAt: clock.now(),
    expiresAt: clock.now() + LIFE,
    ...about,
  }
  await codes.create(code)
  return code
}

export function use(
  { codes, clock }: CodeHarness,
  { hash }: Pick<StoredCode, 'hash'>,
  about: Partial<CodeUse> = {},
): Promise<CodeUseOutcome> {
  const plain = { clientId: undefined, challenge: undefined }
  return codes.use({ hash, ...plain, sid: newSid(), now: clock.now(), ...about })
}

const AWKWARD = 'Zoë {portcullis}:{} "quoted"\r\nSET x 1\t\u{1f980}\u0000\\ 名前'

export function codeStoreContract(t: Test, open: (t: Test) => Promise<CodeHarness>): void {
  t.test('the first use of a code returns what was stored with it', async (t) => {
    const harness = await open(t)
    const code = await store(harness, { sub: AWKWARD, clientId: 'web' })
    t.strictSame(await use(harness, code, { clientId: 'web' }), {
      kind: 'used',
      issuer: code.issuer,
      sub: AWKWARD,
      clientId: 'web',
    })
  })

  t.test('each later use returns the session that the first use began', async (t) => {
    const harness = await open(t)
    const code = await store(harness)
    const sid = newSid()
    t.match(await use(harness, code, { sid }), { kind: 'used', clientId: undefined })
    for (let i = 0; i < 3; i += 1) {
      t.strictSame(await use(harness, code), { kind: 'reused', sid, sub: 'alice' })
      await harness.advance(60_000)
    }
  })

  t.test('of 24 uses at the same time, one is the first', async (t) => {
    const harness = await open(t)
    const code = await store(harness)
    const uses = Array.from({ length: 24 }, () => newSid())
    const outcomes = await Promise.all(uses.map((sid) => use(harness, code, { sid })))
    const first = outcomes.findIndex(({ kind }) => kind === 'used')
    t.strictSame(
      outcomes.filter((_, i) => i !== first),
      Array.from({ length: 23 }, () => ({ kind: 'reused', sid: uses[first], sub: 'alice' })),
    )
  })

  t.test('a code works until the end of its life, and not after it', async (t) => {
    const harness = await open(t)
    const [early, late] = [await store(harness), await store(harness)]
    await harness.advance(LIFE - 1)
    t.equal((await use(harness, early)).kind, 'used')
    t.equal((await use(harness, early)).kind, 'reused')
    await harness.advance(1)
    t.strictSame(await use(harness, late), { kind: 'unknown' })
    t.strictSame(await use(harness, early), { kind: 'unknown' })
  })

  t.test('an unknown code is unknown', async (t) => {
    const harness = await open(t)
    t.strictSame(await use(harness, { hash: hashSecret(newCode()) }), { kind: 'unknown' })
    t.strictSame(await use(harness, { hash: '' }), { kind: 'unknown' })
  })

  t.test('a wrong client, a wrong challenge or none changes nothing', async (t) => {
    const harness = await open(t)
    const code = await store(harness, { clientId: 'web', challenge: 'c'.repeat(43) })
    const right = { clientId: 'web', challenge: 'c'.repeat(43) }
    const wrong: Partial<CodeUse>[] = [
      {},
      { clientId: 'web' },
      { challenge: right.challenge },
      { ...right, clientId: 'other' },
      { ...right, clientId: 'web ' },
      { ...right, challenge: 'd'.repeat(43) },
      { ...right, challenge: '' },
    ]
    for (const about of wrong) t.strictSame(await use(harness, code, about), { kind: 'mismatch' })
    t.equal((await use(harness, code, right)).kind, 'used')
    for (const about of wrong) {
      t.strictSame(await use(harness, code, about), { kind: 'mismatch' }, 'and after the first use')
    }
    t.equal((await use(harness, code, right)).kind, 'reused')
  })

  t.test('a challenge for a code that was issued without one is wrong', async (t) => {
    const harness = await open(t)
    const code = await store(harness)
    t.strictSame(await use(harness, code, { challenge: 'c'.repeat(43) }), { kind: 'mismatch' })
    t.equal((await use(harness, code)).kind, 'used')
  })

  t.test('a code that was issued for no client can be used by any', async (t) => {
    const harness = await open(t)
    t.match(await use(harness, await store(harness), { clientId: 'web' }), {
      kind: 'used',
      clientId: undefined,
    })
  })

  t.test('codes are independent of each other', async (t) => {
    const harness = await open(t)
    const [one, two] = [await store(harness), await store(harness)]
    t.match(await use(harness, one), { kind: 'used', issuer: one.issuer })
    t.match(await use(harness, two), { kind: 'used', issuer: two.issuer })
  })
}
