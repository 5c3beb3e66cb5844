import type { OnOutage } from '../revocation/denylist.js'
import { refuse } from './config-error.js'
import { readDuration } from './values.js'
import type { Read } from './values.js'

const WANTED = 'write closed, open, or { stale: 30s }'

/** Reads the response of a route while the denylist can't be checked. In a flag or variable, a mapping is JSON. */
export const readOnOutage: Read<OnOutage> = (raw, shown) => {
  if (raw === 'closed' || raw === 'open') return raw
  const mapping = typeof raw === 'string' && raw.startsWith('{') ? fromJson(raw) : raw
  if (typeof mapping !== 'object' || mapping === null || Object.keys(mapping).join() !== 'stale') {
    return refuse(`${shown} is not a valid value; ${WANTED}`)
  }
  const { stale } = mapping as { stale: unknown }
  return Object.freeze({ stale: readDuration(stale, 'stale', { minimum: 1, maximum: 86_400_000 }) })
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return refuse(`is not valid JSON; ${WANTED}`)
  }
}
