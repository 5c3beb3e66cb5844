import { KINDS } from './leaf.js'
import { nearest } from './nearest.js'
import { formatPath, listLeaves } from './node.js'
import type { Node, Path } from './node.js'
import { Mistake } from './config-error.js'
import type { ConfigProblem } from './config-error.js'

/** The values of one source. If several layers have a value, the first one wins. */
export interface Layer {
  readonly raw: unknown
  /** True for flags and variables, in which numbers, booleans and JSON are text. */
  readonly text: boolean
  /** Returns the place at which the value of a path was written, for messages. */
  readonly where: (path: Path) => string
}

export interface Reading {
  /** The parsed values. It is complete if there are no problems; values with problems are missing. */
  readonly value: unknown
  readonly problems: ConfigProblem[]
  /** Returns the source of the value at a path, or `undefined` if there is no value. */
  readonly sourceOf: (key: string) => string | undefined
}

/**
 * Checks and parses the layers by the schema, fills in defaults, and collects all problems.
 *
 * @param elsewhere Top-level settings that the caller reads itself. The hint about an unknown key names them, too.
 */
export function readLayers(
  schema: Node,
  layers: readonly Layer[],
  elsewhere: readonly string[] = [],
): Reading {
  const walk = new Walk(schema, elsewhere)
  const value = walk.read(schema, [], layers, true)
  return { value, problems: walk.problems, sourceOf: (key) => walk.sources.get(key)?.() }
}

class Walk {
  readonly problems: ConfigProblem[] = []
  readonly #values: { readonly path: Path; readonly layer: Layer }[] = []
  /** Parsed defaults. They are frozen, so all items of a list can share them. */
  readonly #defaults = new Map<Node, unknown>()
  readonly #root: Node
  readonly #elsewhere: readonly string[]
  #sources: Map<string, () => string> | undefined

  constructor(root: Node, elsewhere: readonly string[]) {
    this.#root = root
    this.#elsewhere = elsewhere
  }

  /**
   * The source of each value, by path. It is computed only when an error needs it, because a list of routes can have
   * hundreds of thousands of values.
   */
  get sources(): ReadonlyMap<string, () => string> {
    this.#sources ??= new Map(
      this.#values.map(({ path, layer }) => [formatPath(path), () => layer.where(path)]),
    )
    return this.#sources
  }

  read(node: Node, path: Path, layers: readonly Layer[], needed: boolean): unknown {
    const given = layers.filter((layer) => layer.raw !== undefined)
    const empty = given.find(({ raw, text }) => raw === null || (text && raw === ''))
    if (empty !== undefined) return this.#report(path, 'is empty; write a value, or leave the key out', empty)
    if (node.anyOf !== undefined) return this.#switch(node.anyOf[1], path, given)
    if (node.properties !== undefined) {
      return needed || given.length > 0
        ? this.#mapping(node, node.properties, path, given, needed)
        : undefined
    }
    if (given.length === 0 && node.default !== undefined) return this.#default(node, path)
    const layer = given[0]
    if (layer === undefined) {
      return needed ? this.#report(path, `is missing (${node.description ?? 'no default'})`) : undefined
    }
    return this.#leaf(node, path, layer)
  }

  #default(node: Node, path: Path): unknown {
    if (this.#defaults.has(node)) {
      this.#values.push({ path, layer: DEFAULT })
      return this.#defaults.get(node)
    }
    const value = this.#leaf(node, path, { ...DEFAULT, raw: node.default })
    this.#defaults.set(node, value)
    return value
  }

  #leaf(node: Node, path: Path, layer: Layer): unknown {
    this.#values.push({ path, layer })
    return node.items === undefined
      ? this.#value(node, path, layer)
      : this.#list(node, node.items, path, layer)
  }

  #switch(node: Node, path: Path, layers: readonly Layer[]): unknown {
    const off = layers.findIndex(({ raw, text }) => raw === false || (text && raw === 'false'))
    if (off === 0) return false
    // A source that sets `false` also hides the values of all weaker sources.
    const on = off === -1 ? layers : layers.slice(0, off)
    const odd = on.find((layer) => !isMapping(layer.raw))
    if (odd !== undefined) {
      const keys = Object.keys(node.properties ?? {}).join(', ')
      return this.#report(
        path,
        `${describeKind(odd.raw)} is not valid here; write false, or set ${keys} beneath it`,
        odd,
      )
    }
    return this.read(node, path, on, true)
  }

  #mapping(
    node: Node,
    properties: Readonly<Record<string, Node>>,
    path: Path,
    layers: readonly Layer[],
    needed: boolean,
  ): unknown {
    // A part such as `codes`, which is off until it is written, and has a default for each setting that it needs.
    const isSwitch = !needed && !hasMissingDefault(node, properties)
    const good = layers.filter((layer) => {
      if (isMapping(layer.raw)) return true
      const keys = `keys beneath it, such as ${Object.keys(properties)[0]}`
      const way = !isSwitch
        ? `write ${keys}`
        : layer.raw === false
          ? 'leave it out to turn it off'
          : `write {} for the defaults, or ${keys}`
      this.#report(path, `${describeKind(layer.raw)} is not a mapping; ${way}`, layer)
      return false
    })
    if (good.length === 0 && layers.length > 0) return undefined
    if (isSwitch) this.#values.push({ path, layer: good[0]! })
    for (const layer of good) this.#unknownKeys(properties, path, layer)
    const entries = Object.entries(properties).map(([key, child]) => {
      const below = good.map((layer) => ({ ...layer, raw: own(layer.raw, key) }))
      return [key, this.read(child, [...path, key], below, node.required?.includes(key) ?? false)] as const
    })
    return Object.freeze(Object.fromEntries(entries.filter(([, value]) => value !== undefined)))
  }

  #unknownKeys(properties: Readonly<Record<string, Node>>, path: Path, layer: Layer): void {
    const names = [...Object.keys(properties), ...(path.length === 0 ? this.#elsewhere : [])]
    for (const key of Object.keys(layer.raw ?? {})) {
      if (Object.hasOwn(properties, key)) continue
      const sibling = nearest(key, names)
      const elsewhere = findKey(this.#root, key)
      const here = `the settings here are: ${names.join(', ')}`
      const hint =
        sibling !== undefined
          ? `did you mean ${formatPath([...path, sibling])}?`
          : elsewhere === undefined
            ? here
            : `${here}; or did you mean ${elsewhere}?`
      this.#report([...path, key], `is not a setting; ${hint}`, layer)
    }
  }

  #list(node: Node, item: Node, path: Path, layer: Layer): unknown {
    const raw = layer.text ? this.#json(path, layer) : layer.raw
    if (raw === undefined) return undefined
    if (raw === true && item.as === 'cidr') {
      const message = 'true would be everybody; list the networks of your proxies, such as ["10.0.0.0/8"]'
      return this.#report(path, message, layer)
    }
    if (!Array.isArray(raw))
      return this.#report(path, `${describeKind(raw)} is not a list; write it in brackets: […]`, layer)
    if (raw.length < (node.minItems ?? 0)) {
      return this.#report(path, 'is an empty list; write at least one item, or leave the key out', layer)
    }
    const values = raw.map((each, i) =>
      this.read(item, [...path, i], [{ ...layer, raw: each ?? null, text: false }], true),
    )
    if (node.uniqueItems === true) {
      values.forEach((value, i) => {
        if (value !== undefined && values.indexOf(value) < i) {
          this.#report([...path, i], `${show(value)} is listed twice; remove one`, layer)
        }
      })
    }
    return Object.freeze(values)
  }

  #value(node: Node, path: Path, layer: Layer): unknown {
    const { as = 'text', type } = node
    let raw = layer.raw
    if (layer.text && type === 'object') {
      raw = this.#json(path, layer)
      if (raw === undefined) return undefined
    }
    if (layer.text && type === 'integer' && /^-?\d{1,16}$/.test(String(raw))) raw = Number(raw)
    if (layer.text && type === 'number' && /^\d{1,9}(?:\.\d{1,9})?$/.test(String(raw))) raw = Number(raw)
    if (layer.text && type === 'boolean' && (raw === 'true' || raw === 'false')) raw = raw === 'true'
    try {
      return KINDS[as].read(raw, node.secret === true ? 'the value' : show(raw), node)
    } catch (error) {
      if (!(error instanceof Mistake)) throw error
      return this.#report(path, error.message, layer)
    }
  }

  #json(path: Path, layer: Layer): unknown {
    try {
      return JSON.parse(String(layer.raw)) as unknown
    } catch {
      return this.#report(path, 'is not valid JSON; write lists and mappings as JSON here', layer)
    }
  }

  #report(path: Path, message: string, layer?: Layer): undefined {
    this.problems.push({ key: formatPath(path), source: layer?.where(path) ?? null, message })
  }
}

/** Finds a path that contains the key, for the hint about a key in the wrong place. */
function findKey(root: Node, key: string): string | undefined {
  for (const [leaf] of listLeaves(root)) {
    const segments = leaf.split('.')
    const at = segments.indexOf(key)
    if (at > 0) return segments.slice(0, at + 1).join('.')
  }
  return undefined
}

const DEFAULT: Layer = { raw: undefined, text: false, where: () => 'default' }

function isMapping(raw: unknown): raw is Readonly<Record<string, unknown>> {
  return Object.prototype.toString.call(raw) === '[object Object]'
}

/** Returns true if `{}` isn't enough, because a setting beneath must be given. */
function hasMissingDefault(node: Node, properties: Readonly<Record<string, Node>>): boolean {
  return (node.required ?? []).some((key) => properties[key]?.default === undefined)
}

function own(raw: unknown, key: string): unknown {
  return isMapping(raw) && Object.hasOwn(raw, key) ? raw[key] : undefined
}

/** Describes a value without quoting it, because a misplaced text may be a secret. */
function describeKind(raw: unknown): string {
  if (Array.isArray(raw)) return 'a list'
  if (isMapping(raw)) return 'a mapping'
  return typeof raw === 'string' ? 'text' : `a ${typeof raw}`
}

/** Returns a value as a message may quote it: short, on one line, and without credentials. */
function show(raw: unknown): string {
  if (typeof raw === 'object' || typeof raw === 'function') return describeKind(raw)
  const text = String(raw).replace(/^([a-z][a-z0-9+.-]*:\/*).*@/is, '$1…@')
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
