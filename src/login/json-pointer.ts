/**
 * What a JSON pointer (RFC 6901) leads to in a parsed document; undefined where it leads nowhere. Only what the
 * document itself holds counts: nothing that a prototype has, and of lists their items alone.
 */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document
  for (const escaped of pointer.split('/').slice(1)) {
    // In this order (§4): `~01` is `~1`, no slash.
    const token = escaped.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(token)) return undefined
    if (!Object.hasOwn(value, token)) return undefined
    value = (value as Record<string, unknown>)[token]
  }
  return value
}
