/** Parses the header `Forwarded` (RFC 7239 §4). */

/** One pair with the separator after it. The value is a token or a quoted string (RFC 9110 §5.6.4). */
const PAIR =
  /[ \t]*(?<name>[!#$%&'*+.^_`|~\w-]+)=(?:"(?<quoted>(?:[^"\\]|\\.)*)"|(?<token>[!#$%&'*+.^_`|~\w-]+))[ \t]*(?<end>;|$)/y
const BLANK = /^[ \t]*$/

/**
 * Returns the elements of the header, each with its parameters by lower-case name. An element is malformed, too, if it
 * has a parameter twice (RFC 7239 §4). If one is malformed, `undefined` takes the place of it and of all before it.
 *
 * Proxies append to the header, so it is read from its end: a string that a client opens and doesn't close can't
 * swallow what proxies wrote. A comma inside a string separates nothing: the text after it has an odd number of quotes,
 * so it is no element. For the same reason, no two attempts get far into the same text, and the time is linear.
 */
export function parseForwarded(header: string): (ReadonlyMap<string, string> | undefined)[] {
  const elements: (ReadonlyMap<string, string> | undefined)[] = []
  let end = header.length
  let comma = end
  while (comma >= 0) {
    comma = comma === 0 ? -1 : header.lastIndexOf(',', comma - 1)
    const text = header.slice(comma + 1, end)
    // Lists may have empty elements (RFC 9110 §5.6.1).
    if (!BLANK.test(text)) {
      const element = parseElement(text)
      if (element === undefined && comma >= 0) continue
      elements.push(element)
    }
    end = comma
  }
  return elements.toReversed()
}

function parseElement(text: string): ReadonlyMap<string, string> | undefined {
  const element = new Map<string, string>()
  for (let at = 0; ; at = PAIR.lastIndex) {
    PAIR.lastIndex = at
    const { name, quoted, token, end } = PAIR.exec(text)?.groups ?? {}
    const key = name?.toLowerCase()
    if (key === undefined || element.has(key)) return undefined
    element.set(key, quoted?.replace(/\\(.)/g, '$1') ?? token!)
    if (end === '') return element
  }
}
