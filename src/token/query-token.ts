/** The access token in the query of a request-target (RFC 6750 §2.3): how it is found, and taken out. */

const NAME = 'access_token'

/** What the query says for `access_token`, decoded; '' for what can't be decoded, as that is no token. */
export function queryTokens(target: string): string[] {
  const tokens: string[] = []
  for (const parameter of splitParameters(target)) {
    if (isOurs(parameter)) tokens.push(decode(parameter.slice(endOfName(parameter) + 1)) ?? '')
  }
  return tokens
}

/** The target without it, the rest byte for byte: what may be logged, or sent on. */
export function withoutQueryTokens(target: string): string {
  const parameters = splitParameters(target)
  if (!parameters.some(isOurs)) return target
  const rest = parameters.filter((parameter) => !isOurs(parameter))
  const path = target.slice(0, target.indexOf('?'))
  return rest.length === 0 ? path : `${path}?${rest.join('&')}`
}

const NONE: readonly string[] = []

function splitParameters(target: string): readonly string[] {
  const mark = target.indexOf('?')
  return mark === -1 ? NONE : target.slice(mark + 1).split('&')
}

function isOurs(parameter: string): boolean {
  const name = parameter.slice(0, endOfName(parameter))
  // A name is written with escapes only where somebody wants it not to be seen.
  return name === NAME || (name.includes('%') && decode(name) === NAME)
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
