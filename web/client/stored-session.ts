/** A session as a client stores it: the token response as JSON text, with times. In cookie mode it has no tokens. */

import { failWithout } from './client-error.js'

/** A token response of the server (docs/http-api.md). Lifetimes are in seconds. */
interface TokenResponse {
  readonly access_token?: string
  readonly expires_in: number
  readonly refresh_token?: string
  readonly refresh_expires_in?: number
  /** Only in the single scheme (`tokens.scheme`). */
  readonly session_expires_in?: number
  readonly session_id: string
}

export interface StoredSession extends TokenResponse {
  /** The time of `expires_in` by the clock of this machine. Unix ms. */
  readonly at: number
  /** The end of the session unless it is refreshed before. Unix seconds. */
  readonly end: number
}

/** @throws {TypeError} for a body that isn't a token response, such as the page of a captive portal */
export async function readTokens(response: Response): Promise<StoredSession> {
  const tokens = (await response.json()) as TokenResponse
  if (!tokens.session_id) failWithout('session_id')
  const at = Date.now()
  const life = tokens.session_expires_in ?? tokens.refresh_expires_in ?? tokens.expires_in
  return { ...tokens, at, end: Math.floor(at / 1000) + life }
}

/** Returns the stored session, or `undefined` if the text is missing or isn't one. */
export function parseSession(text: string | undefined): StoredSession | undefined {
  try {
    return JSON.parse(text!) as StoredSession
  } catch {
    return undefined
  }
}
