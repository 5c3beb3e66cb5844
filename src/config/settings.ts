import type { RedisOptions } from 'ioredis'
import type { Static, TObject, TProperties } from 'typebox'
import type { PluginSchema, SettingsSchema } from './schema.js'
import type { Identity } from '../session/session.js'
import type { Leaf } from './leaf.js'
import type { RouteSchema } from './route-schema.js'

type Tree = Static<typeof SettingsSchema>
type RouteTree = Static<typeof RouteSchema>

/** A route with the overrides of `limits` and `timeouts` filled in from the gateway's own. */
export type RouteSettings = DeepReadonly<
  Omit<RouteTree, 'limits' | 'timeouts'> & {
    limits: Pick<Tree['limits'], 'body' | 'bodyTimeout'>
    timeouts: Omit<Tree['timeouts'], 'drain' | 'shutdown'>
  }
>

/** All settings, parsed: durations in milliseconds, sizes in bytes, defaults filled in, frozen. */
export type Settings = DeepReadonly<Omit<Tree, 'routes'>> & { readonly routes: readonly RouteSettings[] }

/** What `serve` needs: at least one route. */
export type GatewaySettings = Settings & { readonly routes: readonly [RouteSettings, ...RouteSettings[]] }

export interface LoginCredentials {
  readonly username: string
  readonly password: string
}

/** A host's own login: who it is, or null. */
export type LoginFunction<Request = unknown> = (
  credentials: LoginCredentials,
  request: Request,
) => Identity | null | Promise<Identity | null>

/** The plugin's settings, parsed. `store` may be a client's options object, handed on as it is. */
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

/** The type that a program writes for a schema; every key may be left out. */
type In<S> =
  S extends TObject<infer P extends TProperties>
    ? { [K in keyof P]?: In<P[K]> }
    : S extends { items: infer I }
      ? readonly In<I>[]
      : S extends Leaf<infer _Out, infer I>
        ? I
        : never
