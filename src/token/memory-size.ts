/** Approximate bytes of a claim that isn't a text, a list or an object. */
const SCALAR = 8
/** Approximate bytes of an empty object or list, of an empty text, and of a member of an object, without its contents. */
const OBJECT = 56
const TEXT = 24
const MEMBER = 32

/**
 * Estimates the memory that a parsed JSON value occupies, in bytes. For unusual values (long texts, thousands of empty
 * objects) the estimate is between 0.8 and 2 times what the heap grows by.
 */
export function estimateBytes(value: unknown): number {
  // A character takes one byte, or two if the text has one beyond Latin-1.
  if (typeof value === 'string') return TEXT + 2 * value.length
  if (typeof value !== 'object' || value === null) return SCALAR
  let bytes = OBJECT
  if (Array.isArray(value)) for (const item of value) bytes += 8 + estimateBytes(item)
  else {
    for (const [name, member] of Object.entries(value)) {
      bytes += MEMBER + 2 * name.length + estimateBytes(member)
    }
  }
  return bytes
}
