/** Rules for instances that only verify tokens, with the public keys of another instance. */
import type { Rule } from './rule.js'
import type { PluginSettings, Settings } from './settings.js'

type Shared = Pick<PluginSettings, 'keys' | 'store' | 'codes' | 'login' | 'identity' | 'tokens' | 'onRefresh'>

/** Returns the name of the setting with the public keys, or `undefined` for an instance that signs. */
function verifySetting({ keys }: Pick<Shared, 'keys'>): string | undefined {
  if (keys.verify !== undefined) return 'keys.verify'
  return keys.jwks === undefined ? undefined : 'keys.jwks'
}

export const KEY_RULES: readonly Rule<Shared>[] = [
  ...(['keys.verify', 'keys.jwks'] as const).flatMap((setting) =>
    (['keys.signing', 'keys.dir'] as const).map((other): Rule<Shared> => {
      const [name, otherName] = [lastPart(setting), lastPart(other)]
      return {
        keys: [setting, other],
        wrong: ({ keys }) =>
          keys[name] !== undefined &&
          keys[otherName] !== undefined &&
          `and ${other} are both set, but an instance either signs tokens or only verifies them; remove one`,
      }
    }),
  ),
  {
    keys: ['keys.verify', 'keys.jwks'],
    wrong: ({ keys }) =>
      keys.verify !== undefined && keys.jwks !== undefined && 'and keys.jwks are both set; remove one',
  },
  {
    keys: ['keys.algorithm', 'keys.verify', 'keys.jwks'],
    wrong: (settings) => {
      const { algorithm = '' } = settings.keys
      const setting = verifySetting(settings)
      return (
        setting !== undefined &&
        algorithm.startsWith('HS') &&
        `is ${algorithm}, which has no public key for ${setting}; write that of the issuer’s key, such as RS256`
      )
    },
  },
  needsSigningKey('login', ({ login }) => typeof login === 'function'),
  needsSigningKey('login.users', ({ login }) => typeof login !== 'function' && login.users !== undefined),
  needsSigningKey('login.http.url', ({ login }) => typeof login !== 'function' && login.http !== undefined),
  needsSigningKey('onRefresh', ({ onRefresh }) => onRefresh !== undefined),
  needsSigningKey('codes', ({ codes }) => codes !== undefined),
  needsSigningKey('tokens.renewUnder', ({ tokens }) => tokens.renewUnder > 0),
  needsSigningKey('identity.token.audience', ({ identity }) => identity.token !== undefined),
  {
    keys: ['store', 'keys.verify', 'keys.jwks'],
    wrong: (settings) =>
      settings.store === 'none' &&
      verifySetting(settings) === undefined &&
      'is none, which works only with keys.verify or keys.jwks; write a Redis URL, or memory for one process',
  },
]

export const GATEWAY_KEY_RULES: readonly Rule<Settings>[] = [
  {
    keys: ['store', 'routes'],
    wrong: ({ store, routes }) =>
      store === 'none' &&
      routes.some(({ onSuccess }) => onSuccess !== undefined) &&
      'is none, but a route has onSuccess, which ends sessions; write the Redis URL of the issuer, or remove onSuccess',
  },
]

function lastPart<T extends string>(setting: `keys.${T}`): T {
  return setting.slice('keys.'.length) as T
}

function needsSigningKey(setting: string, isSet: (settings: Shared) => boolean): Rule<Shared> {
  return {
    keys: [setting, 'keys.verify', 'keys.jwks'],
    wrong: (settings) => {
      const verify = verifySetting(settings)
      return (
        verify !== undefined &&
        isSet(settings) &&
        `needs a key that signs, but ${verify} is set, with which an instance only verifies; remove one`
      )
    },
  }
}
