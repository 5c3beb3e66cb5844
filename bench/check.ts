/** Whether a peer does what it is measured for. */
import { isDeepStrictEqual } from 'node:util'
import { ANSWER } from './peer.js'
import type { Peer } from './peer.js'
import type { Tokens } from './tokens.js'

/** What is wrong with the peer's answers; undefined: nothing. Without it, its figures mean nothing. */
export async function faultOf(
  { isOpen = false, admitsRevoked = isOpen }: Peer,
  url: string,
  tokens: Tokens,
): Promise<string | undefined> {
  const refused = isOpen ? 200 : 401
  const cases: [what: string, token: string | undefined, status: number][] = [
    ['a good token', tokens.good[0], 200],
    ['another good token', tokens.good.at(-1), 200],
    ['no token', undefined, refused],
    ['a forged token', tokens.forged, refused],
    ['an expired token', tokens.expired, refused],
    ['a revoked token', tokens.revoked, admitsRevoked ? 200 : 401],
  ]
  for (const [what, token, wanted] of cases) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(`${url}/`, { headers, signal: AbortSignal.timeout(5_000) })
    const text = await response.text()
    if (response.status !== wanted) return `${what} is answered by ${response.status} instead of ${wanted}`
    if (wanted === 200 && !isAnswer(text)) return `${what} is answered by ${text.slice(0, 80)}`
  }
  return undefined
}

function isAnswer(text: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(text), ANSWER)
  } catch {
    return false
  }
}
