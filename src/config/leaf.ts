import { Type } from 'typebox'
import type { TSchema, TUnsafe } from 'typebox'
import { readCidr, readHost, readHttpUrl, readOrigin, readStore, readUpstreams } from './network-values.js'
import {
  readHeaderName,
  readIdentityHeaders,
  readKeyPrefix,
  readLoginPage,
  readMethod,
  readPrefix,
  readRoutePath,
  readScope,
} from './http-values.js'
import { readPointer, readPointers } from './json-pointer-value.js'
import { readOnOutage } from './on-outage-value.js'
import { readBearerSecret, readPath, readSigningKey } from './secrets.js'
import { readBoolean, readChoice, readDuration, readInteger, readSize, readText } from './values.js'
import type { Read } from './values.js'

/** How a value is written: it decides how text from a flag or a variable is taken. */
interface Written {
  string: string
  integer: number
  boolean: boolean
  object: Record<string, string>
  outage: string | { stale: string }
  origins: string | readonly string[]
}

interface Kind<Out, W extends keyof Written> {
  readonly type: W
  readonly read: Read<Out>
}

/** Every kind of value that a setting can have. */
export const KINDS = {
  text: kind('string', readText),
  choice: kind('string', readChoice),
  duration: kind('string', readDuration),
  size: kind('string', readSize),
  integer: kind('integer', readInteger),
  boolean: kind('boolean', readBoolean),
  path: kind('string', readPath),
  host: kind('string', readHost),
  cidr: kind('string', readCidr),
  origin: kind('string', readOrigin),
  upstreams: kind('origins', readUpstreams),
  httpUrl: kind('string', readHttpUrl),
  loginPage: kind('string', readLoginPage),
  pointer: kind('string', readPointer),
  pointers: kind('object', readPointers),
  headerName: kind('string', readHeaderName),
  store: kind('string', readStore),
  keyPrefix: kind('string', readKeyPrefix),
  prefix: kind('string', readPrefix),
  routePath: kind('string', readRoutePath),
  method: kind('string', readMethod),
  scope: kind('string', readScope),
  signingKey: kind('string', readSigningKey),
  bearerSecret: kind('string', readBearerSecret),
  identityHeaders: kind('object', readIdentityHeaders),
  onOutage: kind('outage', readOnOutage),
} as const

export type KindName = keyof typeof KINDS
type Output<K extends KindName> = ReturnType<(typeof KINDS)[K]['read']>
type Input<K extends KindName> = Written[(typeof KINDS)[K]['type']]

export interface LeafOptions {
  readonly description: string
  /** As it would be written. Without one the setting is required, unless it is optional. */
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  /** Never quoted in a message. */
  readonly secret?: true
}

/** A schema of one value: `Out` once parsed, `In` as a program writes it. */
export interface Leaf<Out, In> extends TUnsafe<Out> {
  readonly '~in'?: In
}

export function leaf<K extends KindName>(as: K, options: LeafOptions): Leaf<Output<K>, Input<K>> {
  return Type.Unsafe<Output<K>>({ type: KINDS[as].type, as, ...options })
}

/** One of a few words. */
export function choice<const T extends string>(
  choices: readonly T[],
  options: LeafOptions & { default?: T },
): Leaf<T, T> {
  return Type.Unsafe<T>({
    type: 'string',
    as: 'choice',
    enum: choices,
    ...options,
  })
}

const DAY = 86_400_000
/** Node's timers turn longer waits into none. */
const MAX_TIMER = 24 * DAY

/** How long something lives. */
export const lifetime = (options: LeafOptions) => leaf('duration', { maximum: 3650 * DAY, ...options })

/** A wait that `0s` switches off. */
export const timeout = (options: LeafOptions) => leaf('duration', { maximum: MAX_TIMER, ...options })

/** A wait that can't be switched off. */
export const bound = (options: LeafOptions) => timeout({ minimum: 1, ...options })

export const size = (options: LeafOptions) => leaf('size', { minimum: 1, maximum: 1024 ** 4, ...options })

export const count = (options: LeafOptions) => leaf('integer', { minimum: 1, ...options })

export const countOrNone = (options: LeafOptions) => leaf('integer', { minimum: 0, ...options })

/** Values of one kind, none of them twice. */
export const list = <S extends TSchema>(
  item: S,
  options: { description: string; default?: unknown[]; minItems?: number },
) => Type.Array(item, { uniqueItems: true, ...options })

function kind<Out, W extends keyof Written>(type: W, read: Read<Out>): Kind<Out, W> {
  return { type, read }
}
