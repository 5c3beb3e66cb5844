import { PluginSchema, SettingsSchema } from './schema.js'
import { GATEWAY_RULES, findRouteMistakes, SHARED_RULES } from './check.js'
import { PAGE_RULES, findPageMistakes } from './check-pages.js'
import { findRefusalMistakes } from './check-refusals.js'
import type { Rule } from './rule.js'
import { asNode } from './node.js'
import { ConfigError } from './config-error.js'
import type { ConfigProblem } from './config-error.js'
import { readLayers } from './read.js'
import type { Layer, Reading } from './read.js'
import { DAY } from './leaf.js'
import type { GatewaySettings, PluginSettings, RouteSettings, Settings, TokenSettings } from './settings.js'
import { environmentLayer, flagLayer } from './texts.js'
import type { Environment, Flags } from './texts.js'
import { yamlLayer } from './yaml-file.js'

/** The sources of settings, in order of priority: flags, environment, file, preset. Then the defaults apply. */
export interface Sources {
  readonly flags?: Flags
  readonly env?: Environment
  /** The path of the YAML file. Without it, no file is read. */
  readonly file?: string | undefined
  /** Values that a command prefers to the defaults, written as in the file. Messages quote `name` as their source. */
  readonly preset?: { readonly name: string; readonly values: unknown }
}

export interface Loaded<S> {
  readonly settings: S
  /** Log lines about variables that look like settings but aren't. */
  readonly warnings: readonly string[]
  /** Returns the source of a setting: file and line, flag, variable or `default`. `undefined` if it has no value. */
  readonly sourceOf: (key: string) => string | undefined
}

/**
 * Loads the settings for a program that needs no routes.
 *
 * @throws {ConfigError} with all errors, each with its key, its source, and a value that would work
 */
export function loadSettings(sources: Sources): Loaded<Settings> {
  return load(sources, () => [])
}

/**
 * Loads the settings of the gateway (`serve`, `demo`), with at least one route.
 *
 * @throws {ConfigError} as {@link loadSettings}
 */
export function loadGatewaySettings(sources: Sources): Loaded<GatewaySettings> {
  const { settings, ...rest } = load(sources, ({ routes }) =>
    routes.length > 0
      ? []
      : [
          [
            'routes',
            'is an empty list; add the routes to be forwarded (an empty list never means “allow everything”)',
          ],
        ],
  )
  return { settings: settings as GatewaySettings, ...rest }
}

type Mistakes = readonly (readonly [key: string, message: string])[]

function load(sources: Sources, demand: (settings: Settings) => Mistakes): Loaded<Settings> {
  const schema = asNode(SettingsSchema)
  const flags = flagLayer(schema, sources.flags ?? {})
  const environment = environmentLayer(schema, sources.env ?? {})
  const layers = [flags.layer, environment.layer]
  if (sources.file !== undefined) layers.push(yamlLayer(sources.file))
  if (sources.preset !== undefined) layers.push(plainLayer(sources.preset.name, sources.preset.values))

  const reading = readLayers(schema, layers)
  const settings = reading.value as Settings
  const problems = [...flags.problems, ...environment.problems, ...reading.problems]
  const isSound = soundness(problems)
  problems.push(
    ...broken(SHARED_RULES, settings, isSound, reading),
    ...broken(GATEWAY_RULES, settings, isSound, reading),
    ...broken(PAGE_RULES, settings, isSound, reading),
  )
  if (isSound('routes') && isSound('prefix')) {
    const { routes, prefix, login, pages } = settings
    const mistakes = [...demand(settings), ...findRouteMistakes(routes, prefix)]
    if (isSound('login') && isSound('pages'))
      mistakes.push(
        ...findRefusalMistakes(routes, login.page ?? pages?.login),
        ...findPageMistakes(routes, pages),
      )
    problems.push(
      ...mistakes.map(([key, message]) => ({ key, message, source: describeSource(reading, key) })),
    )
  }
  if (problems.length > 0) throw new ConfigError(problems)
  const routes = Object.freeze(settings.routes.map((route) => fillIn(route, settings)))
  const { login, pages } = settings
  const page = login.page ?? pages?.login
  return {
    settings: Object.freeze({
      ...settings,
      tokens: withSchemeDefaults(settings.tokens),
      login: page === undefined ? login : Object.freeze({ ...login, page }),
      routes,
    }),
    warnings: [...flags.warnings, ...environment.warnings],
    sourceOf: reading.sourceOf,
  }
}

/**
 * Checks and parses the plugin's options. Neither the environment nor a file has an effect on them.
 *
 * @throws {ConfigError} as {@link loadSettings}
 */
export function parsePluginOptions(options: unknown): PluginSettings {
  const { store, login, onRefresh, ...rest } = { ...(options as Record<string, unknown>) }
  const client = typeof store === 'object' && store !== null && !Array.isArray(store) ? store : undefined
  const own = typeof login === 'function' ? login : undefined
  const values = { ...rest, ...(client === undefined && { store }), ...(own === undefined && { login }) }
  const isMapping = typeof options === 'object' && options !== null && !Array.isArray(options)

  const layer = plainLayer('the plugin’s options', isMapping ? values : (options ?? {}))
  const reading = readLayers(asNode(PluginSchema), [layer], ['onRefresh'])
  const problems = [...reading.problems]
  if (isClient(client)) {
    const message = 'is a client; pass its options or a URL, because Portcullis opens its own connections'
    problems.push({ key: 'store', message, source: 'the plugin’s options' })
  }
  if (onRefresh !== undefined && typeof onRefresh !== 'function') {
    const message = 'is not a function; write one that returns { scope, claims }, or null to end the session'
    problems.push({ key: 'onRefresh', message, source: 'the plugin’s options' })
  }
  const settings = {
    ...(reading.value as object),
    ...(client !== undefined && { store: client }),
    ...(own !== undefined && { login: own }),
    ...(onRefresh !== undefined && { onRefresh }),
  } as PluginSettings
  problems.push(...broken(SHARED_RULES, settings, soundness(problems), reading))
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze({ ...settings, tokens: withSchemeDefaults(settings.tokens) })
}

/** Fills in the defaults that depend on the scheme. */
function withSchemeDefaults(tokens: Partial<TokenSettings> & Pick<TokenSettings, 'scheme'>): TokenSettings {
  const defaults = tokens.scheme === 'single' ? SINGLE_DEFAULTS : DUAL_DEFAULTS
  return Object.freeze({ ...defaults, ...tokens } as TokenSettings)
}

const DUAL_DEFAULTS = { absolute: 90 * DAY, refreshLimit: 0 }
const SINGLE_DEFAULTS = { absolute: 3 * DAY, refreshLimit: 50 }

/** Returns true for an ioredis client, whose properties would otherwise be treated as options. */
function isClient(store: object | undefined): boolean {
  return store !== undefined && typeof (store as { sendCommand?: unknown }).sendCommand === 'function'
}

function plainLayer(name: string, raw: unknown): Layer {
  return { raw, text: false, where: () => name }
}

/** Returns a function that is true if a setting, its children and its parents have no errors. */
function soundness(problems: readonly ConfigProblem[]): (key: string) => boolean {
  const keys = problems.map((problem) => problem.key)
  return (key) => keys.every((bad) => bad !== '' && !within(bad, key) && !within(key, bad))
}

function within(key: string, outer: string): boolean {
  return key === outer || key.startsWith(`${outer}.`) || key.startsWith(`${outer}[`)
}

function broken<S>(
  rules: readonly Rule<S>[],
  settings: S,
  isSound: (key: string) => boolean,
  reading: Reading,
): ConfigProblem[] {
  return rules.flatMap(({ keys, wrong }) => {
    const message = keys.every(isSound) && wrong(settings)
    return message === false ? [] : [{ key: keys[0], message, source: describeSource(reading, keys[0]) }]
  })
}

function describeSource(reading: Reading, key: string): string | null {
  return reading.sourceOf(key) ?? null
}

function fillIn(route: RouteSettings, { limits, timeouts }: Settings): RouteSettings {
  const { body, bodyTimeout } = { ...limits, ...route.limits }
  const { connect, headers, body: pieces, total } = { ...timeouts, ...route.timeouts }
  return Object.freeze({
    ...route,
    limits: Object.freeze({ body, bodyTimeout }),
    timeouts: Object.freeze({ connect, headers, body: pieces, total }),
  })
}
