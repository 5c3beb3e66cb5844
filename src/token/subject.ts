import { hasLoneSurrogate } from '../lone-surrogate.js'
import { MAX_ID_LENGTH } from './access-token.js'

/**
 * Returns a subject as text, or `undefined` if it can't be one. Many hosts have numeric ids, so a safe integer is taken
 * as its decimal text. A larger number is refused, because it may have been rounded to the id of another user. A lone
 * surrogate is refused, because it has no UTF-8 form, so two subjects would share one key in Redis.
 */
export function toSubject(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined
  const isId = typeof value === 'string' && value.length > 0 && value.length <= MAX_ID_LENGTH
  return isId && !hasLoneSurrogate(value) ? value : undefined
}

/**
 * Returns a subject as text, for callers in plain JavaScript.
 *
 * @throws {TypeError}
 */
export function requireSubject(value: unknown): string {
  const sub = toSubject(value)
  if (sub !== undefined) return sub
  throw new TypeError(
    `sub must be a string of 1 to ${MAX_ID_LENGTH} characters, without lone surrogates, or a safe integer`,
  )
}
