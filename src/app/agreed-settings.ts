import type { PluginSettings } from '../config.js'
import type { EntryLifetime } from '../revocation/denylist.js'

/** Settings by name. The values contain no secret: other instances read them from Redis. */
export type AgreedSettings = Readonly<Record<string, string | number>>

/**
 * Returns the settings that all instances of a `keyPrefix` must agree on. With another key or issuer, an instance refuses
 * the tokens of the others. With another lease or horizon, a revoke may return before each instance refuses the token.
 * With other lifetimes, a session's end depends on the instance that refreshes it.
 *
 * An instance that only verifies neither issues nor refreshes, so it has only a part of these settings. Instances
 * compare the settings that both have.
 *
 * @param kid The id of the signing key, which every token shows in its header. `undefined` if there is none.
 */
export function agreedSettings(
  { issuer, audience, tokens, codes, sessions, revocation }: PluginSettings,
  kid: string | undefined,
  { horizon }: Pick<EntryLifetime, 'horizon'>,
): AgreedSettings {
  const { check, lease, onLostHistory, waitReplicas } = revocation
  return {
    issuer,
    audience,
    ...(kid !== undefined && {
      keys: kid,
      'tokens.scheme': tokens.scheme,
      'tokens.access': tokens.access,
      'tokens.refresh': tokens.refresh,
      'tokens.absolute': tokens.absolute,
      'tokens.refreshLimit': tokens.refreshLimit,
      'tokens.reuseGrace': tokens.reuseGrace,
      'codes.life': codes?.life ?? 'off',
      'codes.access': codes?.access ?? 'off',
      'codes.refresh': codes?.refresh ?? 'off',
      'sessions.perSubject': sessions.perSubject,
      'sessions.perDevice': sessions.perDevice,
      'sessions.onLimit': sessions.onLimit,
    }),
    'tokens.leeway': tokens.leeway,
    'revocation.check': check,
    'revocation.lease': lease,
    'revocation.onLostHistory': onLostHistory,
    'revocation.waitReplicas': waitReplicas,
    // By default, an instance that only verifies takes the horizon of the others.
    ...((kid !== undefined || revocation.horizon !== undefined) && { 'revocation.horizon': horizon }),
  }
}
