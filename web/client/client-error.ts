/** The errors of the server, and what the client does about each code (docs/errors.md). */

/** Returns true if the session has ended, so that no refresh can help. */
export const isEnded = (code = ''): boolean => /^(session_ended|signed_in_|refresh_|reauth)/.test(code)

/**
 * Returns true if a refresh may help against a 401. If a response has no code of ours, the client tries one refresh.
 */
export const isRefreshable = (code = 'token_'): boolean => /^(token_|history_lost)/.test(code)

/** The members of a problem (RFC 9457) that the client uses. */
interface Problem {
  readonly code?: string
  readonly title?: string
}

/** Reads a copy of the body, so that the caller can still read the response. */
function readProblem(response: Response): Promise<Problem> {
  return response
    .clone()
    .json()
    .then(Object, () => ({}))
}

export const readCode = async (response: Response): Promise<string | undefined> =>
  (await readProblem(response)).code

/** An error of the client, or of a route under `/auth`. Decide by `code`. */
export class ClientError extends Error {
  /** A code of docs/errors.md, `body_not_replayable`, or `http_<status>` if the server sent none. */
  declare readonly code: string
  /** The HTTP status of the response; 0 if the error isn't a response. */
  declare readonly status: number
  /** The seconds to wait before a repetition; 0 if the server named none. */
  declare readonly retryAfter: number

  constructor(code: string, message: string, status = 0, retryAfter = 0) {
    super(message)
    Object.assign(this, { name: 'ClientError', code, status, retryAfter })
  }
}

/** @throws {ClientError} unless the status of the response is 2xx */
export async function requireSuccess(response: Response): Promise<Response> {
  const { status, headers } = response
  if (response.ok) return response
  const { code = `http_${status}`, title = code } = await readProblem(response)
  throw new ClientError(code, title, status, Number(headers.get('retry-after')))
}

/** @throws {TypeError} always */
export function failWithout(name: string): never {
  throw new TypeError(`${name} is missing`)
}
