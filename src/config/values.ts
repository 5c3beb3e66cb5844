import type { Milliseconds } from '../clock.js'
import { refuse } from './config-error.js'

/** A size in bytes. */
export type Bytes = number

/** The part of a value's schema that its reader needs. */
export interface Constraints {
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly string[]
}

/**
 * A function that checks and parses one raw value. `shown` is the value as a message may quote it.
 *
 * @throws {Mistake} if the value is invalid
 */
export type Read<Out> = (raw: unknown, shown: string, constraints: Constraints) => Out

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const SIZE_UNITS = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const

/** Reads text of at least one character, without control characters. */
export const readText: Read<string> = (raw, shown, { maximum = 4096 }) => {
  const text = readString(raw, shown)
  if (hasControls(text)) refuse(`${shown} contains control characters; remove them`)
  if (text.length > maximum) refuse(`is too long; at most ${maximum} characters`)
  if (text.trim() !== text) refuse(`${shown} begins or ends with a space; remove it`)
  return text
}

/** Reads a whole number with a unit: `500ms`, `2s`, `15m`, `1h`, `30d`. */
export const readDuration: Read<Milliseconds> = (raw, shown, { minimum = 0, maximum = Infinity }) => {
  const value = readWithUnit(raw, shown, DURATION_UNITS, 'duration such as 15m')
  if (value < minimum) refuse(`${shown} is too short; write at least ${formatDuration(minimum)}`)
  if (value > maximum) refuse(`${shown} is too long; write at most ${formatDuration(maximum)}`)
  return value
}

/** Reads a whole number with a unit: `512b`, `16kb`, `1mb`, `1gb`. A kb is 1024 bytes. */
export const readSize: Read<Bytes> = (raw, shown, { minimum = 0, maximum = Infinity }) => {
  const value = readWithUnit(raw, shown, SIZE_UNITS, 'size such as 16kb')
  if (value < minimum) refuse(`${shown} is too small; write at least ${minimum}b`)
  if (value > maximum) refuse(`${shown} is too large; write at most ${maximum}b`)
  return value
}

/** Reads a number that isn't negative, such as `0.1`. */
export const readFraction: Read<number> = (raw, shown, { maximum = 1 }) => {
  if (typeof raw !== 'number' || !(raw >= 0 && raw <= maximum))
    return refuse(`${shown} is not a number from 0 to ${maximum}; write one without quotes, such as 0.1`)
  return raw
}

export const readInteger: Read<number> = (raw, shown, { minimum = 0, maximum = Number.MAX_SAFE_INTEGER }) => {
  if (typeof raw === 'string' && /^\d+$/.test(raw))
    refuse(`${shown} is text; write the number without quotes`)
  if (typeof raw !== 'number' || !Number.isSafeInteger(raw)) return refuse(`${shown} is not a whole number`)
  if (raw < minimum || raw > maximum) {
    const range =
      maximum === Number.MAX_SAFE_INTEGER ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`
    refuse(`${shown} is out of range; write a whole number ${range}`)
  }
  return raw
}

export const readBoolean: Read<boolean> = (raw, shown) =>
  typeof raw === 'boolean'
    ? raw
    : refuse(`${shown} is neither true nor false; write one of them, without quotes`)

export const readChoice: Read<string> = (raw, shown, constraints) => {
  const { enum: choices = [] } = constraints
  if (typeof raw === 'string' && choices.includes(raw)) return raw
  return refuse(
    `${shown} is not a valid value; write ${choices.length > 1 ? 'one of ' : ''}${choices.join(', ')}`,
  )
}

/** Reads text of at least one character, for readers that check its form themselves. */
export function readString(raw: unknown, shown: string): string {
  if (typeof raw === 'number' || typeof raw === 'boolean') {
    return refuse(`${shown} is a ${typeof raw}; write text (in quotes)`)
  }
  if (typeof raw !== 'string') return refuse(`${shown} is not text`)
  if (raw === '') return refuse('is empty; write a value, or leave it out')
  return raw
}

/**
 * Formats a duration in the largest unit that is exact.
 *
 * @example formatDuration(900_000) // '15m'
 */
export function formatDuration(value: Milliseconds): string {
  const units = Object.entries(DURATION_UNITS).toReversed()
  const [name, factor] = units.find(([, size]) => value !== 0 && value % size === 0) ?? ['s', 1000]
  return `${value / factor}${name}`
}

export function hasControls(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text)
}

function readWithUnit(
  raw: unknown,
  shown: string,
  units: Readonly<Record<string, number>>,
  example: string,
): number {
  const text = typeof raw === 'number' ? String(raw) : raw
  if (typeof text !== 'string') return refuse(`${shown} is not a ${example}`)
  const match = /^(\d{1,15})([a-z]*)$/.exec(text)
  if (match === null) return refuse(`${shown} is not a whole number with a unit; write a ${example}`)
  const [, digits = '', unit = ''] = match
  if (unit === '') return refuse(`${shown} has no unit; write a ${example}`)
  if (!Object.hasOwn(units, unit)) {
    return refuse(`${shown} has an unknown unit; write a ${example} (${Object.keys(units).join(', ')})`)
  }
  const value = Number(digits) * (units[unit] ?? 0)
  return Number.isSafeInteger(value) ? value : refuse(`${shown} is too large`)
}
