import type { Milliseconds } from '../clock.js'
import { refuse } from './config-error.js'

/** A size in bytes. */
export type Bytes = number

/** What the schema says about one value, as far as its reader needs it. */
export interface Constraints {
  readonly minimum?: number
  readonly maximum?: number
  readonly enum?: readonly string[]
}

/** Checks one raw value and gives the parsed one, or refuses. `shown` is how a message may quote the value. */
export type Read<Out> = (raw: unknown, shown: string, constraints: Constraints) => Out

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const SIZE_UNITS = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const

/** Text of at least one character, without control characters. */
export const readText: Read<string> = (raw, shown, { maximum = 4096 }) => {
  const text = readString(raw, shown)
  if (hasControls(text)) refuse(`${shown} holds control characters; remove them`)
  if (text.length > maximum) refuse(`is too long; at most ${maximum} characters`)
  if (text.trim() !== text) refuse(`${shown} begins or ends with a space; remove it`)
  return text
}

/** `500ms`, `2s`, `15m`, `1h`, `30d`: whole numbers with a unit. */
export const readDuration: Read<Milliseconds> = (raw, shown, { minimum = 0, maximum = Infinity }) => {
  const value = readWithUnit(raw, shown, DURATION_UNITS, 'duration such as 15m')
  if (value < minimum) refuse(`${shown} is too short; the least is ${formatDuration(minimum)}`)
  if (value > maximum) refuse(`${shown} is too long; the most is ${formatDuration(maximum)}`)
  return value
}

/** `512b`, `16kb`, `1mb`, `1gb`: whole numbers with a unit; a kb is 1024 bytes. */
export const readSize: Read<Bytes> = (raw, shown, { minimum = 0, maximum = Infinity }) => {
  const value = readWithUnit(raw, shown, SIZE_UNITS, 'size such as 16kb')
  if (value < minimum) refuse(`${shown} is too small; the least is ${minimum}b`)
  if (value > maximum) refuse(`${shown} is too large; the most is ${maximum}b`)
  return value
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
  typeof raw === 'boolean' ? raw : refuse(`${shown} is neither true nor false; write one of them, unquoted`)

export const readChoice: Read<string> = (raw, shown, constraints) => {
  const { enum: choices = [] } = constraints
  if (typeof raw === 'string' && choices.includes(raw)) return raw
  return refuse(`${shown} is not known; write ${choices.length > 1 ? 'one of ' : ''}${choices.join(', ')}`)
}

/** The value as text of at least one character; for the readers that judge its form themselves. */
export function readString(raw: unknown, shown: string): string {
  if (typeof raw === 'number' || typeof raw === 'boolean') {
    return refuse(`${shown} is a ${typeof raw}; write text (in quotes)`)
  }
  if (typeof raw !== 'string') return refuse(`${shown} is not text`)
  if (raw === '') return refuse('is empty; give a value, or leave it out')
  return raw
}

/** The largest unit that says it exactly: 900000 is `15m`. */
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
  if (match === null)
    return refuse(`${shown} is not understood; write a ${example}, a whole number and its unit`)
  const [, digits = '', unit = ''] = match
  if (unit === '') return refuse(`${shown} has no unit; write a ${example}`)
  if (!Object.hasOwn(units, unit)) {
    return refuse(`${shown} has an unknown unit; write a ${example} (${Object.keys(units).join(', ')})`)
  }
  const value = Number(digits) * (units[unit] ?? 0)
  return Number.isSafeInteger(value) ? value : refuse(`${shown} is too large`)
}
