/** Checks that a peer responds correctly. Otherwise, its figures would mean nothing. */
import { isDeepStrictEqual } from 'node:util'
import { ANSWER } from './peer.js'
import type { Peer } from './peer.js'
import type { Tokens } from './tokens.js'

/** Returns a description of the first wrong response of the peer, or `undefined` if all are right. */
export async function faultOf(
  { isOpen = false, admitsRevoked = isOpen }: Peer,
  url: string,
  tokens: Tokens,
): Promise<string | undefined> {
  const refused = isOpen ? 200 : 401
  const cases: [name: string, token: string | undefined, status: number][] = [
    ['a good token', tokens.good[0], 200],
    ['another good token', tokens.good.at(-1), 200],
    ['no token', undefined, refused],
    ['a forged token', tokens.forged, refused],
    ['an expired token', tokens.expired, refused],
    ['a revoked token', tokens.revoked, admitsRevoked ? 200 : 401],
  ]
  for (const [name, token, expected] of cases) {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(`${url}/`, { headers, signal: AbortSignal.timeout(5_000) })
    const text = await response.text()
    if (response.status !== expected)
      return `the response to ${name} is ${response.status} instead of ${expected}`
    if (expected === 200 && !isExpectedBody(text))
      return `the response to ${name} has the body ${text.slice(0, 80)}`
  }
  return undefined
}

function isExpectedBody(text: string): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(text), ANSWER)
  } catch {
    return false
  }
}
