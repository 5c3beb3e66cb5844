/**
 * The configuration. The one registry of settings is `config/schema.ts`; types, checks, defaults, flags, environment
 * names and help are derived from it.
 */
export * from './config/help.js'
export * from './config/load.js'
export { toPluginSettings } from './config/to-plugin-settings.js'
export { ConfigError, type ConfigProblem } from './config/config-error.js'
export type { ConfiguredKey } from './config/secrets.js'
export type * from './config/settings.js'
export type * from './config/host-functions.js'
export type { Bytes } from './config/values.js'
