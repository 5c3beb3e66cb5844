/** Parses the header `Forwarded` (RFC 7239 §4). */

/** One pair with the separator after it. The value is a token or a quoted string (RFC 9110 §5.6.4). */
const PAIR =
  /[ \t]*(?<name>[!#$%&'*+.^_`|~\w-]+)=(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<token>[!#$%&'*+.^_`|~\w-]+))[ \t]*(?<end>[;,]|$)/y
const EMPTY = /[ \t]*(?:,|$)/y

/**
 * Returns the elements of the header, each with its parameters by lower-case name. Returns `undefined` if the header is
 * malformed, or if an element has a parameter twice (RFC 7239 §4).
 */
export function parseForwarded(header: string): Map<string, string>[] | undefined {
  const elements: Map<string, string>[] = []
  let element = new Map<string, string>()
  let at = 0
  while (at < header.length) {
    PAIR.lastIndex = at
    const { name, quoted, token, end } = PAIR.exec(header)?.groups ?? {}
    if (name === undefined) {
      // Lists may have empty elements (RFC 9110 §5.6.1).
      EMPTY.lastIndex = at
      if (element.size > 0 || !EMPTY.test(header)) return undefined
      at = EMPTY.lastIndex
      continue
    }
    const key = name.toLowerCase()
    if (element.has(key)) return undefined
    element.set(key, quoted?.replace(/\\(.)/g, '$1') ?? token!)
    at = PAIR.lastIndex
    if (end === ';') continue
    elements.push(element)
    element = new Map()
  }
  // A semicolon at the end is followed by no pair.
  return element.size > 0 ? undefined : elements
}
