import { PluginSchema, SettingsSchema } from './schema.js'
import { asNode, listLeaves } from './node.js'
import type { Node } from './node.js'
import { environmentName } from './texts.js'

/** One setting, for `--help` and the docs. */
export interface SettingRow {
  /** `tokens.access`; what stands in each route is `routes[].path` and so on. */
  readonly path: string
  /** `--tokens.access`; null where only the whole list can be given. */
  readonly flag: string | null
  readonly env: string | null
  /** As it would be written; `none` where it may be left out, `required`, or `required with` what it is a part of. */
  readonly default: string
  readonly description: string
}

/** Every setting of the gateway, in the order of the schema. */
export function describeSettings(): SettingRow[] {
  return buildRows(asNode(SettingsSchema), (path) => ({ flag: `--${path}`, env: environmentName(path) }))
}

/** Every option of the plugin that can be written down; `store` and `login` take more (see PluginOptions). */
export function describePluginOptions(): SettingRow[] {
  return buildRows(asNode(PluginSchema), () => ({ flag: null, env: null }))
}

/** The flags, as node:util's parseArgs takes its `options`. */
export function settingFlags(): Record<string, { type: 'string' }> {
  return Object.fromEntries(settingPaths().map((path) => [path, { type: 'string' as const }]))
}

/** The paths that a flag or a variable can set. */
export function settingPaths(): string[] {
  return listLeaves(asNode(SettingsSchema)).map(([path]) => path)
}

/** The settings' part of `--help`. */
export function settingsHelp(): string {
  const lines = describeSettings().map(
    ({ path, flag, default: value, description }) =>
      `  ${(flag ?? `  ${path}`).padEnd(40)} ${description} [${value}]`,
  )
  return [
    'Settings: a flag, else its variable, else the file, else the default in brackets.',
    '--tokens.reuseGrace 5s is PORTCULLIS_TOKENS_REUSEGRACE=5s; …_FILE names a file that holds the value.',
    'Durations 500ms 2s 15m 1h 30d; sizes 512b 16kb 1mb; lists and mappings as JSON.',
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

/** The innermost part of the path that may be left out; undefined: none. */
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
