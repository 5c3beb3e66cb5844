import { readString, readText } from './values.js'
import type { Read } from './values.js'
import { refuse } from './config-error.js'
import { isKeyText } from '../token/key-text.js'

/** A configured key: the text of the key (PEM or JWK), or the path of its file. */
export type ConfiguredKey =
  { readonly from: 'text'; readonly text: string } | { readonly from: 'file'; readonly path: string }

/** Reads a signing key. A PEM, a JWK, or the base64 of one is the key itself. A mapping is a JWK, other text a path. */
export const readSigningKey: Read<ConfiguredKey> = (raw, shown) => {
  if (typeof raw === 'object' && raw !== null && !Array.isArray(raw)) {
    return Object.freeze({ from: 'text', text: JSON.stringify(raw) })
  }
  const text = unquote(readString(raw, shown).trim())
  if (isKeyText(text)) return Object.freeze({ from: 'text', text })
  if (text === '' || /[\r\n]/.test(text)) {
    refuse(
      'is neither a key nor a path; write a PEM that begins with -----BEGIN, a JWK, or the path of a file',
    )
  }
  return Object.freeze({ from: 'file', path: text })
}

/** Reads the public keys of an instance that only verifies: one of the forms of a signing key, or a list of them. */
export const readVerifyingKeys: Read<readonly ConfiguredKey[]> = (raw, shown, constraints) => {
  const list = typeof raw === 'string' && raw.trim().startsWith('[') ? parseList(raw) : raw
  if (!Array.isArray(list)) return Object.freeze([readSigningKey(list, shown, constraints)])
  if (list.length === 0) return refuse('is an empty list; write at least one key')
  return Object.freeze(list.map((each: unknown) => readSigningKey(each, shown, constraints)))
}

/** Parses the list of a flag or a variable. */
function parseList(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return refuse('begins like a list but is not valid JSON')
  }
}

/** Removes the quotes that environment files leave around a value. */
function unquote(text: string): string {
  return /^(['"])([^]*)\1$/.exec(text)?.[2] ?? text
}

/** Reads the path of a file or directory, relative to the working directory. */
export const readPath: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (text.includes('-----BEGIN') || text.startsWith('{'))
    refuse('contains the contents of a file; write the path of the file')
  return readText(text, shown, {})
}

/** Reads a secret that is sent as a Bearer token (`b64token`, RFC 6750 §2.1). */
export const readBearerSecret: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (text.length < 32) refuse('is too short; write a secret of at least 32 characters')
  if (text.length > 1024) refuse('is too long; at most 1024 characters')
  if (!/^[A-Za-z0-9._~+/-]+=*$/.test(text)) {
    refuse('has characters that a Bearer token can’t contain; use letters, digits and - . _ ~ + /')
  }
  return text
}
