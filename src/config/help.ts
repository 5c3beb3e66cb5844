import { PluginSchema, SettingsSchema } from './schema.js'
import { asNode, listLeaves } from './node.js'
import type { Node } from './node.js'
import { environmentName } from './texts.js'

/** A row of `--help` and of the tables in the docs. */
export interface SettingRow {
  /** The path, such as `tokens.access`, or `routes[].path` for a setting of each route. */
  readonly path: string
  /** The flag, such as `--tokens.access`. It is `null` if only the whole list can be set. */
  readonly flag: string | null
  /** The environment variable. It is `null` if only the whole list can be set. */
  readonly env: string | null
  /** The default as it would be written, or `none` (optional), `required`, or `required with` an optional parent. */
  readonly default: string
  readonly description: string
}

/** Returns every setting of the gateway, in the order of the schema. */
export function describeSettings(): SettingRow[] {
  return buildRows(asNode(SettingsSchema), (path) => ({ flag: `--${path}`, env: environmentName(path) }))
}

/** Returns every option of the plugin. `store` and `login` accept more than the schema says (see PluginOptions). */
export function describePluginOptions(): SettingRow[] {
  return buildRows(asNode(PluginSchema), () => ({ flag: null, env: null }))
}

/** Returns the flags as `options` for `parseArgs` of node:util. */
export function settingFlags(): Record<string, { type: 'string' }> {
  return Object.fromEntries(settingPaths().map((path) => [path, { type: 'string' as const }]))
}

/** Returns the paths that a flag or a variable can set. */
export function settingPaths(): string[] {
  return listLeaves(asNode(SettingsSchema)).map(([path]) => path)
}

/** Returns the part of `--help` about settings. */
export function settingsHelp(): string {
  const lines = describeSettings().map(
    ({ path, flag, default: value, description }) =>
      `  ${(flag ?? `  ${path}`).padEnd(40)} ${description} [${value}]`,
  )
  return [
    'A flag overrides its environment variable, which overrides the file, which overrides the default (in brackets).',
    '--tokens.reuseGrace 5s is the same as PORTCULLIS_TOKENS_REUSEGRACE=5s. Add _FILE to read the value from a file.',
    'Durations: 500ms 2s 15m 1h 30d. Sizes: 512b 16kb 1mb. Write lists and mappings as JSON.',
    '',
    ...lines,
  ].join('\n')
}

function buildRows(schema: Node, names: (path: string) => Pick<SettingRow, 'flag' | 'env'>): SettingRow[] {
  return listLeaves(schema).flatMap(([path, node]) => {
    const row = {
      path,
      ...names(path),
      default: formatDefault(path, node, schema),
      description: describe(node),
    }
    const item = node.items?.properties === undefined ? undefined : node.items
    const beneath = item === undefined ? [] : buildRows(item, () => ({ flag: null, env: null }))
    return [row, ...beneath.map((each) => ({ ...each, path: `${path}[].${each.path}` }))]
  })
}

function describe(node: Node): string {
  const choices = node.enum ?? node.items?.enum
  return `${node.description ?? ''}${choices === undefined ? '' : `: ${choices.join(', ')}`}`
}

function formatDefault(path: string, node: Node, schema: Node): string {
  if (node.default !== undefined)
    return typeof node.default === 'string' ? node.default : JSON.stringify(node.default)
  if (node.anyOf !== undefined) return 'on'
  const optional = optionalAround(path.split('.'), schema)
  if (optional === undefined) return 'required'
  return optional === path ? 'none' : `required with ${optional}`
}

/** Returns the innermost optional part of the path, or `undefined` if every part is required. */
function optionalAround(path: readonly string[], schema: Node): string | undefined {
  let optional: string | undefined
  let node: Node | undefined = schema
  path.forEach((key, at) => {
    const { properties = {}, required = [] } = node?.anyOf?.[1] ?? node ?? {}
    if (!required.includes(key)) optional = path.slice(0, at + 1).join('.')
    node = properties[key]
  })
  return optional
}
