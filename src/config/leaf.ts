import { Type } from 'typebox'
import type { TSchema, TUnsafe } from 'typebox'
import {
  readCidr,
  readHost,
  readHttpUrl,
  readJwksUrl,
  readOrigin,
  readRouteHost,
  readStore,
  readUpstreams,
} from './network-values.js'
import {
  readDecoratorName,
  readHeaderName,
  readIdentityHeaders,
  readKeyPrefix,
  readLoginPage,
  readMethod,
  readPagePath,
  readPrefix,
  readRoutePath,
  readScope,
} from './http-values.js'
import { readCookieDomain, readCookiePath } from './cookie-values.js'
import { readPointer, readPointers } from './json-pointer-value.js'
import { readOnOutage } from './on-outage-value.js'
import { readBearerSecret, readPath, readSigningKey, readVerifyingKeys } from './secrets.js'
import {
  readBoolean,
  readChoice,
  readDuration,
  readFraction,
  readInteger,
  readSize,
  readText,
} from './values.js'
import type { Read } from './values.js'

/** The written forms of values. They decide how text from a flag or a variable is parsed. */
interface Written {
  string: string
  integer: number
  number: number
  boolean: boolean
  object: Record<string, string>
  outage: string | { stale: string }
  origins: string | readonly string[]
  decorator: string | false
  /** Text, a JWK, a JWK Set, or a list of these. */
  keys: string | object
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
  fraction: kind('number', readFraction),
  boolean: kind('boolean', readBoolean),
  path: kind('string', readPath),
  host: kind('string', readHost),
  routeHost: kind('string', readRouteHost),
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
  pagePath: kind('string', readPagePath),
  routePath: kind('string', readRoutePath),
  method: kind('string', readMethod),
  scope: kind('string', readScope),
  signingKey: kind('string', readSigningKey),
  verifyingKeys: kind('keys', readVerifyingKeys),
  jwksUrl: kind('string', readJwksUrl),
  cookiePath: kind('string', readCookiePath),
  cookieDomain: kind('string', readCookieDomain),
  bearerSecret: kind('string', readBearerSecret),
  identityHeaders: kind('object', readIdentityHeaders),
  onOutage: kind('outage', readOnOutage),
  decoratorName: kind('decorator', readDecoratorName),
} as const

export type KindName = keyof typeof KINDS
type Output<K extends KindName> = ReturnType<(typeof KINDS)[K]['read']>
type Input<K extends KindName> = Written[(typeof KINDS)[K]['type']]

export interface LeafOptions {
  readonly description: string
  /** The default, as it would be written. Without it, the setting is required unless it is `Type.Optional`. */
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  /** A secret is never quoted in a message. */
  readonly secret?: true
}

/** A schema of one value. `Out` is its parsed type, `In` the type that a program writes. */
export interface Leaf<Out, In> extends TUnsafe<Out> {
  readonly '~in'?: In
}

/** Creates the schema of a single value of one of the {@link KINDS}. */
export function leaf<K extends KindName>(as: K, options: LeafOptions): Leaf<Output<K>, Input<K>> {
  return Type.Unsafe<Output<K>>({ type: KINDS[as].type, as, ...options })
}

/** Creates the schema of a value that is one of the given words. */
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

export const DAY = 86_400_000
/**
 * The longest lifetime of an access token, 7 days. Denylist entries and tombstones are kept for as long, and every
 * instance has all entries in memory.
 */
export const MAX_ACCESS = 7 * DAY
/** In milliseconds. Node's timers fire at once if the delay exceeds 2^31 − 1 ms (about 24.8 days). */
const MAX_TIMER = 24 * DAY

/** A lifetime of up to ten years. */
export const lifetime = (options: LeafOptions) => leaf('duration', { maximum: 3650 * DAY, ...options })

/** A timeout that `0s` turns off. */
export const timeout = (options: LeafOptions) => leaf('duration', { maximum: MAX_TIMER, ...options })

/** A timeout that can't be turned off. */
export const bound = (options: LeafOptions) => timeout({ minimum: 1, ...options })

export const size = (options: LeafOptions) => leaf('size', { minimum: 1, maximum: 1024 ** 4, ...options })

export const count = (options: LeafOptions) => leaf('integer', { minimum: 1, ...options })

export const countOrNone = (options: LeafOptions) => leaf('integer', { minimum: 0, ...options })

/** A list without duplicates. */
export const list = <S extends TSchema>(
  item: S,
  options: { description: string; default?: unknown[]; minItems?: number },
) => Type.Array(item, { uniqueItems: true, ...options })

function kind<Out, W extends keyof Written>(type: W, read: Read<Out>): Kind<Out, W> {
  return { type, read }
}
