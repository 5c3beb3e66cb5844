import type { AccessClaims } from '../token/access-token.js'

/**
 * A function that computes the identity headers from the claims of an access token. `undefined` sends no such header.
 */
export type IdentityHeaders = (claims: AccessClaims) => Record<string, string | undefined>

type TemplatePart = { readonly text: string } | { readonly claim: string }

/**
 * Compiles the setting `identity.headers`.
 *
 * @param headers By header name, the name of a claim, or a template such as `{sub}@{tenant}`.
 */
export function identityHeaders(headers: Readonly<Record<string, string>>): IdentityHeaders {
  const compiled = Object.entries(headers).map(([name, template]) => [name, parseTemplate(template)] as const)
  return (claims) => {
    const identity: Record<string, string | undefined> = {}
    for (const [name, parts] of compiled) identity[name] = fill(parts, claims)
    return identity
  }
}

function parseTemplate(template: string): readonly TemplatePart[] {
  if (!template.includes('{')) return [{ claim: template }]
  return template
    .split(/(\{[^{}]*\})/)
    .filter((part) => part !== '')
    .map((part) => (part.startsWith('{') ? { claim: part.slice(1, -1) } : { text: part }))
}

/**
 * Fills in a template. Returns `undefined` if a claim is missing, because a partial identity may be another
 * subject's.
 */
function fill(parts: readonly TemplatePart[], claims: AccessClaims): string | undefined {
  let filled = ''
  for (const part of parts) {
    if ('text' in part) {
      filled += part.text
      continue
    }
    const value = Object.hasOwn(claims, part.claim) ? claims[part.claim] : undefined
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    if (!isPlain) return undefined
    filled += String(value)
  }
  return filled
}
