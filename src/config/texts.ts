import { readFileSync } from 'node:fs'
import { nearest } from './nearest.js'
import { listLeaves } from './node.js'
import type { Node } from './node.js'
import type { ConfigProblem } from './config-error.js'
import type { Layer } from './read.js'

/** Environment variables, in the form of `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Values of flags by path (without dashes), as `parseArgs` of node:util returns them. */
export type Flags = Readonly<Record<string, unknown>>

export interface TextLayer {
  readonly layer: Layer
  readonly problems: ConfigProblem[]
  readonly warnings: string[]
}

/**
 * Returns the environment variable of a setting.
 *
 * @example environmentName('tokens.reuseGrace') // 'PORTCULLIS_TOKENS_REUSEGRACE'
 */
export function environmentName(path: string): string {
  return `PORTCULLIS_${path.replaceAll('.', '_').toUpperCase()}`
}

interface TextEntry {
  readonly path: string
  readonly raw: string
  readonly source: string
}

export function flagLayer(schema: Node, flags: Flags): TextLayer {
  const known = listLeaves(schema).map(([path]) => path)
  const problems: ConfigProblem[] = []
  const entries: TextEntry[] = []
  for (const [path, given] of Object.entries(flags)) {
    const raw: unknown = Array.isArray(given) ? given.at(-1) : given
    if (raw === undefined) continue
    const source = `--${path}`
    if (known.includes(path)) entries.push({ path, raw: String(raw), source })
    else {
      const meant = nearest(path, known)
      const message = `is not a setting${meant === undefined ? '; see --help' : `; did you mean --${meant}?`}`
      problems.push({ key: path, source, message })
    }
  }
  return plant(entries, problems, [])
}

export function environmentLayer(schema: Node, env: Environment): TextLayer {
  const paths = new Map(listLeaves(schema).map(([path]) => [environmentName(path), path]))
  const problems: ConfigProblem[] = []
  const warnings: string[] = []
  const entries: TextEntry[] = []
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('PORTCULLIS_') || raw === undefined) continue
    const direct = paths.get(name)
    const path = direct ?? paths.get(name.replace(/_FILE$/, ''))
    if (path === undefined) {
      const meant = nearest(name, paths.keys())
      warnings.push(
        `${name} is not a setting${meant === undefined ? '' : ` (did you mean ${meant}?)`}; it is ignored`,
      )
    } else if (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(raw)) {
      warnings.push(`${name} looks like a variable that Kubernetes sets for a service; it is ignored`)
    } else if (direct !== undefined) {
      const bare = /^(['"])((?:(?!\1)[^])+)\1$/.exec(raw)?.[2]
      if (bare !== undefined) {
        // The shell removes quotes, but `docker run --env-file` keeps them.
        warnings.push(`${name} is in quotes, which were removed; write the value without them`)
      }
      entries.push({ path, raw: bare ?? raw, source: name })
    } else if (env[environmentName(path)] !== undefined) {
      problems.push({
        key: path,
        source: name,
        message: `both ${environmentName(path)} and ${name} are set; keep one`,
      })
    } else {
      const read = readValueFile(raw)
      if (read.ok) entries.push({ path, raw: read.text, source: name })
      else problems.push({ key: path, source: name, message: read.message })
    }
  }
  return plant(entries, problems, warnings)
}

function readValueFile(file: string): { ok: true; text: string } | { ok: false; message: string } {
  try {
    return {
      ok: true,
      text: readFileSync(file, 'utf8')
        .replace(/^\uFEFF/, '')
        .replace(/(\r?\n)+$/, ''),
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return {
      ok: false,
      message: `the file with the value can’t be read (${code}); check its path and permissions`,
    }
  }
}

/** Builds the tree of values from single paths. */
function plant(entries: readonly TextEntry[], problems: ConfigProblem[], warnings: string[]): TextLayer {
  const root: Record<string, unknown> = Object.create(null)
  const sources = new Map(entries.map(({ path, source }) => [path, source]))
  for (const { path, raw, source } of entries) {
    // Only `admin` can be a value (`false`) and also have paths beneath it.
    const beneath = entries.find((other) => other.path.startsWith(`${path}.`))
    if (beneath !== undefined) {
      problems.push({ key: path, source, message: `contradicts ${beneath.source}; keep one of them` })
      continue
    }
    const keys = path.split('.')
    const last = keys.pop() ?? ''
    let place = root
    for (const key of keys) place = (place[key] ??= Object.create(null)) as Record<string, unknown>
    place[last] = raw
  }
  const where = (path: readonly (string | number)[]): string => {
    for (let length = path.length; length > 0; length--) {
      const source = sources.get(path.slice(0, length).join('.'))
      if (source !== undefined) return source
    }
    return 'environment'
  }
  return { layer: { raw: root, text: true, where }, problems, warnings }
}
