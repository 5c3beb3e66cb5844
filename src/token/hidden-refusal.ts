/** Refusals of hidden routes, which get the response of a path that no route covers. */
import { PortcullisError } from '../errors.js'

/** The `reason` of `rate_limited` if the token was admitted before the requests of its subject were counted. */
export const SUBJECT_LIMIT = 'subject_limit'

/**
 * Returns true if a hidden route must not send the error, because a path without a route would never get it. Two errors
 * remain as they are:
 *
 * - 5xx. A 404 would be a definite response, although the outcome is unknown. Only a token with a valid signature gets
 *   that far.
 * - `rate_limited` by subject. The token was good, so its owner knows the route, and needs `Retry-After`.
 */
export function mustHide(error: unknown): error is PortcullisError {
  if (!(error instanceof PortcullisError) || error.statusCode >= 500) return false
  return error.reason !== SUBJECT_LIMIT
}

/**
 * Returns the error that a hidden route has replaced, for the log, or the error itself if it replaces none. The replaced
 * error is the `cause`, which is never sent.
 */
export function revealRefusal(error: PortcullisError): PortcullisError {
  return error.cause instanceof PortcullisError ? error.cause : error
}
