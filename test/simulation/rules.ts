/** The rules that can be left out, each on its side. */
import type { Switches } from './schedule.js'
import type { ServerRule } from './server.js'
import { WEAK_INSTANCES } from './weak-instances.js'
import { SESSION_RULES } from './weak-sessions.js'
import type { InstanceRule } from './weak-instances.js'

export const INSTANCE_RULES = Object.keys(WEAK_INSTANCES) as InstanceRule[]

export const SERVER_RULES = [
  'register',
  'acknowledge',
  'boot',
  'length',
  'version',
] as const satisfies readonly ServerRule[]

/** What ends of sessions rely on; `birth` is a rule of the server's. */
export const ALL_SESSION_RULES = [...SESSION_RULES, 'birth'] as const
export type AnySessionRule = (typeof ALL_SESSION_RULES)[number]

export function switchOffSession(rule: AnySessionRule): Switches {
  return rule === 'birth' ? { serverWithout: new Set(['birth'] as const) } : { sessionsWithout: rule }
}

export type AnyRule = InstanceRule | ServerRule

export function switchOff(rule: AnyRule): Switches {
  return (SERVER_RULES as readonly AnyRule[]).includes(rule)
    ? { serverWithout: new Set([rule as ServerRule]) }
    : { without: rule as InstanceRule }
}
