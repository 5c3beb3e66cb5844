/** Rules for the lifetimes of tokens and sessions. */
import type { Rule } from './rule.js'
import type { PluginSettings } from './settings.js'
import { formatDuration } from './values.js'

export const TOKEN_RULES: readonly Rule<Pick<PluginSettings, 'tokens' | 'revocation'>>[] = [
  {
    keys: ['tokens.refresh', 'tokens.absolute'],
    wrong: ({ tokens }) =>
      tokens.refresh === 0 &&
      tokens.absolute === 0 &&
      'is 0, and so is tokens.absolute, but then sessions would never end; set one of them to a value such as 30d',
  },
  {
    keys: ['tokens.access'],
    // exp is in whole seconds here (RFC 7519 §2). Rounding would make the lifetime differ from the setting.
    wrong: ({ tokens }) =>
      tokens.access % 1000 !== 0 &&
      `is ${formatDuration(tokens.access)}; write a number of whole seconds, such as 15m`,
  },
  {
    keys: ['tokens.renewUnder', 'tokens.access'],
    wrong: ({ tokens: { renewUnder, access } }) =>
      renewUnder >= access &&
      `is ${formatDuration(renewUnder)}, but must be less than tokens.access (${formatDuration(access)}), or every response would bring a new token; write a value such as 1m`,
  },
  {
    keys: ['revocation.horizon', 'tokens.access'],
    wrong: ({ revocation: { horizon }, tokens }) =>
      horizon !== undefined &&
      horizon < tokens.access &&
      `is ${formatDuration(horizon)}, less than tokens.access (${formatDuration(tokens.access)}), so new access tokens would be refused; raise revocation.horizon, or lower tokens.access`,
  },
]
