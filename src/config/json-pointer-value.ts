import { refuse } from './config-error.js'
import { readString } from './values.js'
import type { Read } from './values.js'

const POINTER = /^(?:\/(?:[^~/]|~[01])*)+$/
/** Claims that Portcullis itself sets in access tokens. */
const OWN_CLAIMS = new Set(['iss', 'aud', 'sub', 'client_id', 'sid', 'jti', 'iat', 'exp', 'nbf', 'auth_time'])

/** Reads a JSON pointer (RFC 6901) to a part of a document. The empty pointer is refused. */
export const readPointer: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (!POINTER.test(text))
    refuse(`${shown} is not a JSON pointer (RFC 6901); write one such as /data/user/id`)
  return text
}

/** Reads a mapping of claims to JSON pointers. */
export const readPointers: Read<Readonly<Record<string, string>>> = (raw, shown) => {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return refuse(
      `${shown} is not a mapping; write claims with JSON pointers, such as {"role": "/user/role"}`,
    )
  }
  for (const [claim, pointer] of Object.entries(raw)) {
    const quoted = JSON.stringify(claim)
    if (OWN_CLAIMS.has(claim))
      refuse(`${quoted} is a claim that the gateway sets itself; choose another name`)
    if (claim === '' || claim === '__proto__') refuse(`${quoted} is not the name of a claim`)
    readPointer(pointer, `${quoted}: ${JSON.stringify(pointer)}`, {})
  }
  return Object.freeze({ ...(raw as Record<string, string>) })
}
