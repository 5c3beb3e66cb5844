import { PortcullisError, insufficientScope } from '../errors.js'
import type { Requirements } from './admission.js'
import type { Auth } from './auth.js'

/**
 * Checks that a token has the scopes of a route. An anonymous request (`null`) passes only if the route requires no scope.
 *
 * @throws {PortcullisError} `credentials_missing`, `insufficient_scope`
 */
export function checkScope(auth: Auth | null, requirements: Requirements): void {
  const { scope, anyScope } = requirements
  if (auth === null) {
    if (requirements.auth !== 'required' && scope.length === 0 && anyScope === undefined) return
    throw new PortcullisError('credentials_missing', {
      detail: 'Send it as `Authorization: Bearer <token>`.',
    })
  }
  for (const one of scope) if (!auth.scope.includes(one)) throw insufficientScope(scope)
  if (anyScope !== undefined && !anyScope.some((one) => auth.scope.includes(one))) {
    throw insufficientScope(anyScope, 'one of the scopes')
  }
}
