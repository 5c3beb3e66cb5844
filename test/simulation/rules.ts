/** The rules that can be left out, each on its side. */
import type { Rule } from '../../src/revocation/lease.js'
import type { Switches } from './schedule.js'
import type { ServerRule } from './server.js'

export const INSTANCE_RULES = [
  'barrier',
  'lease',
  'more',
  'margin',
  'epoch',
  'settled',
  'publish',
  'published',
  'since',
  'restart',
  'own',
] as const satisfies readonly Rule[]

export const SERVER_RULES = [
  'register',
  'acknowledge',
  'boot',
  'length',
  'version',
] as const satisfies readonly ServerRule[]

export type AnyRule = Rule | ServerRule

export function switchOff(rule: AnyRule): Switches {
  return (SERVER_RULES as readonly AnyRule[]).includes(rule)
    ? { serverWithout: new Set([rule as ServerRule]) }
    : { without: new Set([rule as Rule]) }
}
