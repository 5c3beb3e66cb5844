import { readString, readText } from './values.js'
import type { Read } from './values.js'
import { refuse } from './config-error.js'

/** One signing key that the configuration names: the key itself (PEM or JWK), or the file that holds it. */
export type ConfiguredKey =
  { readonly from: 'text'; readonly text: string } | { readonly from: 'file'; readonly path: string }

/** Text that begins with `{` or `-----BEGIN` is the key; anything else is a path. A JWK may also stand as a mapping. */
export const readSigningKey: Read<ConfiguredKey> = (raw, shown) => {
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    return Object.freeze({ from: 'text', text: JSON.stringify(raw) })
  }
  const text = readString(raw, shown).trim()
  if (text.startsWith('{') || text.startsWith('-----BEGIN')) return Object.freeze({ from: 'text', text })
  if (text === '' || /[\r\n]/.test(text)) {
    refuse('is neither a key nor a path; write a PEM that begins with -----BEGIN, a JWK, or one file’s path')
  }
  return Object.freeze({ from: 'file', path: text })
}

/** The path of a file or directory, relative to the working directory. */
export const readPath: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (text.includes('-----BEGIN') || text.startsWith('{'))
    refuse('holds a file’s contents; write the path of the file')
  return readText(text, shown, {})
}

/** A secret that travels as a Bearer token (RFC 6750 §2.1). */
export const readBearerSecret: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (text.length < 32) refuse('is too short; write a secret of at least 32 characters')
  if (text.length > 1024) refuse('is too long; at most 1024 characters')
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(text)) {
    refuse('has characters that a Bearer token can’t carry; use letters, digits and - . _ ~ + /')
  }
  return text
}
