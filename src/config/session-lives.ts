import type { Milliseconds } from '../clock.js'
import { Mistake } from './config-error.js'
import type { TokenSettings } from './settings.js'
import { formatDuration, readDuration } from './values.js'

/** Lifetimes of one session, which may only be shorter than those of the settings. */
export interface SessionLives {
  /** The lifetime of the session's access tokens, in whole seconds, such as `5m`. Default: `tokens.access`. */
  readonly access?: string | undefined
  /** The longest time between two refreshes of the session, such as `1d`. Default: `tokens.refresh`. */
  readonly refresh?: string | undefined
}

/**
 * Parses the lifetimes of a session.
 *
 * @throws {TypeError} if one isn't a duration, or is longer than the setting
 */
export function parseLives(
  { access, refresh }: SessionLives,
  settings: Pick<TokenSettings, 'access' | 'refresh'>,
): { readonly access: Milliseconds | undefined; readonly idle: Milliseconds | undefined } {
  const life = parse('access', access, settings.access)
  if (life !== undefined && life % 1000 !== 0) throw new TypeError('access: write a number of whole seconds')
  return { access: life, idle: parse('refresh', refresh, settings.refresh || Infinity) }
}

function parse(name: string, text: string | undefined, longest: Milliseconds): Milliseconds | undefined {
  if (text === undefined) return undefined
  let duration: Milliseconds
  try {
    duration = readDuration(text, JSON.stringify(text), { minimum: 1_000 })
  } catch (error) {
    if (!(error instanceof Mistake)) throw error
    throw new TypeError(`${name}: ${error.message}`, { cause: error })
  }
  if (duration > longest)
    throw new TypeError(`${name}: at most ${formatDuration(longest)}, which is the setting tokens.${name}`)
  return duration
}
