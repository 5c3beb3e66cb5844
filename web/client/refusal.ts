/** The reason of a refusal decides what a client does. docs/errors.md has the table. */

/** Returns true if the session has ended, so that no refresh can help. */
export const isEnded = (code = ''): boolean =>
  /^(session_ended|signed_in_elsewhere|refresh_|reauthentication_)/.test(code)

/**
 * Returns true if a refresh may help against a 401. A server whose errors have no `code` of ours gets one attempt.
 */
export const isRefreshable = (code = 'token_'): boolean => /^(token_|history_lost)/.test(code)

/** The members of a problem (RFC 9457) that the client uses. */
interface Problem {
  readonly code?: string
  readonly title?: string
  readonly detail?: string
}

/** Reads a copy of the body, so that the caller can still read the response. */
function readProblem(response: Response): Promise<Problem> {
  return response
    .clone()
    .json()
    .then(
      (body) => body ?? {},
      () => ({}),
    )
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

export async function toError(response: Response): Promise<ClientError> {
  const { status, headers } = response
  const { code = `http_${status}`, title = code, detail = title } = await readProblem(response)
  return new ClientError(code, detail, status, Number(headers.get('retry-after')))
}
