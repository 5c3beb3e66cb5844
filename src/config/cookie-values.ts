import { isIP } from 'node:net'
import { readString } from './values.js'
import type { Read } from './values.js'
import { refuse } from './config-error.js'

/** Reads the path of a cookie (RFC 6265 §4.1.1). Browsers ignore attributes of more than 1,024 bytes. */
export const readCookiePath: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (!text.startsWith('/')) refuse(`${shown} does not begin with a slash; write a path such as /api/auth`)
  if (!/^[\x21-\x3a\x3c-\x7e]{1,1024}$/.test(text))
    refuse(`${shown} has characters that no cookie path has; write a path such as /api/auth`)
  return text
}

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const DOMAIN = new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})+$`, 'i')

/** Reads the domain of a cookie. Browsers drop cookies for an address, and for a top-level domain. */
export const readCookieDomain: Read<string> = (raw, shown) => {
  const text = readString(raw, shown)
  if (isIP(text) !== 0) refuse(`${shown} is an address; write a domain such as example.com, or leave it out`)
  if (text.startsWith('.')) refuse(`${shown} begins with a dot; write ${text.slice(1)}`)
  if (!DOMAIN.test(text)) refuse(`${shown} is not a domain; write one such as example.com, without a port`)
  return text.toLowerCase()
}
