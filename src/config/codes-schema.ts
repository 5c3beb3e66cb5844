import { Type } from 'typebox'
import { MAX_ACCESS, leaf } from './leaf.js'

const DAY = 86_400_000

/** The settings of one-time codes. They are off unless one of these settings, or `codes: {}`, is written. */
export const CodesSchema = Type.Object({
  life: leaf('duration', {
    description:
      'lifetime of a one-time code; codes are off unless a setting of codes, or codes: {}, is written',
    default: '10m',
    minimum: 1000,
    maximum: 3_600_000,
  }),
  access: leaf('duration', {
    description: 'lifetime of the access tokens of a session that a code began, in whole seconds',
    default: '2h',
    minimum: 1000,
    maximum: MAX_ACCESS,
  }),
  refresh: leaf('duration', {
    description: 'lifetime of such a session without a refresh',
    default: '30d',
    minimum: 1000,
    maximum: 3650 * DAY,
  }),
})
