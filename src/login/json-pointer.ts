/**
 * Returns the value that a JSON pointer (RFC 6901) refers to, or `undefined` if there is none. Only own properties of
 * objects and items of arrays are found, nothing from a prototype, and not the `length` of an array.
 *
 * @param document A parsed JSON document.
 * @example
 * ```ts
 * valueAt({ roles: ['admin'] }, '/roles/0') // 'admin'
 * ```
 */
export function valueAt(document: unknown, pointer: string): unknown {
  let value = document
  for (const escaped of pointer.split('/').slice(1)) {
    // The order matters (§4): `~01` means `~1`, not a slash.
    const token = escaped.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(token)) return undefined
    if (!Object.hasOwn(value, token)) return undefined
    value = (value as Record<string, unknown>)[token]
  }
  return value
}
