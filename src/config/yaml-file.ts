import { readFileSync } from 'node:fs'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import type { Document } from 'yaml'
import type { Path } from './node.js'
import { ConfigError } from './config-error.js'
import type { ConfigProblem } from './config-error.js'
import type { Layer } from './read.js'

/**
 * Messages for errors of the YAML parser. Its own messages quote the source, which may be a secret. For example, a
 * password that begins with `*` is an alias in YAML.
 */
const MISTAKES: Readonly<Record<string, string>> = {
  BAD_ALIAS: 'an alias without an anchor; put a value that begins with * in quotes',
  BAD_INDENT: 'the indentation doesn’t match',
  BAD_SCALAR_START: 'a value can’t begin like this; put it in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'a mapping in place of a value; check the indentation, and quote values that contain ": "',
  MISSING_CHAR: 'something is missing, such as a quote, a bracket, a comma or a colon',
  MULTIPLE_DOCS: 'a second document begins here; write only one',
  TAB_AS_INDENT: 'a tab; indent with spaces',
  TAG_RESOLVE_FAILED: 'a tag that is not known; put a value that begins with ! in quotes',
}

/**
 * Reads the layer of a YAML file.
 *
 * @throws {ConfigError} if the file can't be read or parsed. Other sources aren't checked then.
 */
export function yamlLayer(file: string): Layer {
  let source: string
  try {
    source = readFileSync(file, 'utf8')
  } catch (error) {
    return fail(
      file,
      `the configuration file can’t be read (${mistakeCode(error)}); check the path given to --config`,
    )
  }
  const lines = new LineCounter()
  const document = parse(file, source, lines)
  if (source.includes('${')) refuseVariables(file, document, lines)
  const raw = toValue(file, document)
  if (document.contents === null || raw === null)
    fail(file, 'the configuration file is empty; write at least issuer and audience')
  if (!isMap(document.contents)) fail(file, 'the top level must be a mapping; write keys such as issuer: …')
  return { raw, text: false, where: (path) => at(file, lines, findOffset(document, path)) }
}

function parse(file: string, source: string, lines: LineCounter): Document.Parsed {
  let document: Document.Parsed
  try {
    document = parseDocument(source, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  } catch {
    return fail(file, 'the configuration file can’t be parsed; it may be nested too deeply')
  }
  // The parser warns about unknown tags, and would then read the value as something else.
  const mistakes = [...document.errors, ...document.warnings]
  if (mistakes.length > 0) {
    throw new ConfigError(
      mistakes.slice(0, 10).map(({ code, pos: [offset] }) => ({
        key: '',
        source: at(file, lines, offset),
        message:
          code === 'DUPLICATE_KEY'
            ? `the key ${/^["']?([\w.-]{1,64})/.exec(source.slice(offset))?.[1] ?? ''} is written twice; keep one`
            : `not valid YAML: ${MISTAKES[code] ?? 'this is not allowed here; check brackets, quotes and indentation'}`,
      })),
    )
  }
  return document
}

/** Other programs replace `${NAME}` in their files. Here it would silently be part of the value. */
function refuseVariables(file: string, document: Document.Parsed, lines: LineCounter): void {
  const problems: ConfigProblem[] = []
  visit(document, {
    Scalar(key, { value, range }) {
      const name = typeof value === 'string' && key !== 'key' && /\$\{(\w{1,64})/.exec(value)?.[1]
      if (!name) return
      const message =
        `\${${name}…} is not replaced, because the file has no variables; set the setting’s own environment ` +
        'variable instead, such as PORTCULLIS_STORE for store'
      problems.push({ key: '', source: at(file, lines, range?.[0] ?? 0), message })
    },
  })
  if (problems.length > 0) throw new ConfigError(problems.slice(0, 10))
}

function toValue(file: string, document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown
  } catch {
    return fail(file, 'its aliases (*name) can’t be resolved: one has no anchor, or there are too many')
  }
}

/** Returns the offset of the key or item at the path, or of the innermost node around it that exists. */
function findOffset(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents
  let offset = 0
  for (const segment of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(segment))
      if (!isScalar(pair?.key)) break
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(segment)]
      offset = (node as { range?: [number] } | undefined)?.range?.[0] ?? offset
    } else break
  }
  return offset
}

function at(file: string, lines: LineCounter, offset: number): string {
  return `${file}:${Math.max(1, lines.linePos(offset).line)}`
}

function fail(file: string, message: string): never {
  throw new ConfigError([{ key: '', source: file, message }])
}

function mistakeCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
}
