import type { TSchema } from 'typebox'
import type { KindName } from './leaf.js'
import type { Constraints } from './values.js'

/** A node of the schema: a switch (`anyOf`), a mapping (`properties`), a list (`items`), or a single value (`as`). */
export interface Node extends Constraints {
  /** A switch is either `false` or a mapping. */
  readonly anyOf?: readonly [Node, Node]
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly items?: Node
  readonly minItems?: number
  readonly uniqueItems?: boolean
  /** The kind of a single value. */
  readonly as?: KindName
  readonly type?: string
  readonly default?: unknown
  readonly description?: string
  readonly secret?: true
}

export function asNode(schema: TSchema): Node {
  return schema as Node
}

export type Path = readonly (string | number)[]

/** Returns a path as text, such as `routes[1].limits.body`. Segments with special characters are quoted. */
export function formatPath(path: Path): string {
  return path
    .map((segment, i) => {
      if (typeof segment === 'number') return `[${segment}]`
      const plain = /^[\w-]{1,64}$/.test(segment) ? segment : JSON.stringify(segment.slice(0, 64))
      return i === 0 ? plain : `.${plain}`
    })
    .join('')
}

/** Lists the paths that flags and variables can set, with their nodes, in the order of the schema. */
export function listLeaves(node: Node, path: readonly string[] = []): [path: string, node: Node][] {
  if (node.anyOf !== undefined) return [[path.join('.'), node], ...listLeaves(node.anyOf[1], path)]
  if (node.properties === undefined) return [[path.join('.'), node]]
  return Object.entries(node.properties).flatMap(([key, child]) => listLeaves(child, [...path, key]))
}
