import type { RedisOptions } from 'ioredis'
import type { Static, TObject, TProperties } from 'typebox'
import type { PluginSchema, SettingsSchema } from './schema.js'
import type { Identity } from '../session/session.js'
import type { Leaf } from './leaf.js'
import type { RouteSchema } from './route-schema.js'

type Tree = Static<typeof SettingsSchema>
type RouteTree = Static<typeof RouteSchema>

/** A route. Where it has no `limits` and `timeouts` of its own, those of the gateway are filled in. */
export type RouteSettings = DeepReadonly<
  Omit<RouteTree, 'limits' | 'timeouts'> & {
    limits: Pick<Tree['limits'], 'body' | 'bodyTimeout'>
    timeouts: Omit<Tree['timeouts'], 'drain' | 'shutdown'>
  }
>

/** All settings, parsed and frozen. Durations are in milliseconds, sizes in bytes, and defaults are filled in. */
export type Settings = DeepReadonly<Omit<Tree, 'routes'>> & { readonly routes: readonly RouteSettings[] }

/** The settings of `serve`, with at least one route. */
export type GatewaySettings = Settings & { readonly routes: readonly [RouteSettings, ...RouteSettings[]] }

export interface LoginCredentials {
  readonly username: string
  readonly password: string
}

/** A login of the host application. It returns the identity, or `null` if the credentials are wrong. */
export type LoginFunction<Request = unknown> = (
  credentials: LoginCredentials,
  request: Request,
) => Identity | null | Promise<Identity | null>

/** The plugin's settings, parsed. `store` may be an object of ioredis options, which is passed to ioredis unchanged. */
export type PluginSettings = DeepReadonly<Omit<Static<typeof PluginSchema>, 'store' | 'login'>> & {
  readonly store: string | RedisOptions
  readonly login: LoginFunction | Tree['login']
}

type PluginInput = In<typeof PluginSchema>

/** What a host passes to `register`: written as in the YAML file (`'15m'`), `issuer` and `audience` required. */
export type PluginOptions<Request = unknown> = Omit<
  PluginInput,
  'store' | 'login' | 'issuer' | 'audience'
> & {
  issuer: string
  audience: string
  /** A URL, or options of ioredis; never a client. */
  store?: string | RedisOptions
  login?: LoginFunction<Request> | PluginInput['login']
}

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

/** The type that a program writes for a schema. Every key is optional. */
type In<S> =
  S extends TObject<infer P extends TProperties>
    ? { [K in keyof P]?: In<P[K]> }
    : S extends { items: infer I }
      ? readonly In<I>[]
      : S extends Leaf<infer _Out, infer I>
        ? I
        : never
