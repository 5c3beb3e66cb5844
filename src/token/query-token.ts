/** Finds and removes access tokens in the query of a request target (RFC 6750 §2.3). */

const NAME = 'access_token'

/**
 * Returns the decoded values of all `access_token` parameters. A value that can't be decoded is returned as '', which
 * is never a valid token.
 */
export function queryTokens(target: string): string[] {
  const tokens: string[] = []
  for (const parameter of splitParameters(target)) {
    if (isAccessToken(parameter)) tokens.push(valueOf(parameter))
  }
  return tokens
}

/**
 * Removes every `access_token` parameter from a request target, and the `?` if no parameter is left. All other parts
 * stay unchanged. Without `isToken`, the result is safe to log or forward.
 *
 * @param isToken If set, only parameters for whose decoded value it returns true are removed.
 * @example
 * ```ts
 * withoutQueryTokens('/feed?a=1&access_token=ey…&b=2') // '/feed?a=1&b=2'
 * ```
 */
export function withoutQueryTokens(target: string, isToken?: (value: string) => boolean): string {
  const parameters = splitParameters(target)
  if (!parameters.some(isAccessToken)) return target
  const rest = parameters.filter(
    (parameter) => !isAccessToken(parameter) || isToken?.(valueOf(parameter)) === false,
  )
  if (rest.length === parameters.length) return target
  const path = target.slice(0, target.indexOf('?'))
  return rest.length === 0 ? path : `${path}?${rest.join('&')}`
}

const NONE: readonly string[] = []

function splitParameters(target: string): readonly string[] {
  const questionMark = target.indexOf('?')
  return questionMark === -1 ? NONE : target.slice(questionMark + 1).split('&')
}

function isAccessToken(parameter: string): boolean {
  const name = parameter.slice(0, endOfName(parameter))
  // No client has a reason to escape these letters, but an attacker may do so to hide the token.
  return name === NAME || (name.includes('%') && decode(name) === NAME)
}

function valueOf(parameter: string): string {
  return decode(parameter.slice(endOfName(parameter) + 1)) ?? ''
}

function endOfName(parameter: string): number {
  const equals = parameter.indexOf('=')
  return equals === -1 ? parameter.length : equals
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
