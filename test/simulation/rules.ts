/** The rules that can be left out, each on its side. */
import type { Switches } from './schedule.js'
import type { ServerRule } from './server.js'
import { WEAK_INSTANCES } from './weak-instances.js'
import type { InstanceRule } from './weak-instances.js'

export const INSTANCE_RULES = Object.keys(WEAK_INSTANCES) as InstanceRule[]

export const SERVER_RULES = [
  'register',
  'acknowledge',
  'boot',
  'length',
  'version',
] as const satisfies readonly ServerRule[]

export type AnyRule = InstanceRule | ServerRule

export function switchOff(rule: AnyRule): Switches {
  return (SERVER_RULES as readonly AnyRule[]).includes(rule)
    ? { serverWithout: new Set([rule as ServerRule]) }
    : { without: rule as InstanceRule }
}
