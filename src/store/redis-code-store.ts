import { storeUnavailable } from '../errors.js'
import type { Keys } from '../redis/keys.js'
import type { Sid } from '../session/session.js'
import type { CodeStore, CodeUse, CodeUseOutcome, StoredCode } from './code-store.js'
import type { RedisScripts } from './define-scripts.js'
import { EXPIRY_SLACK } from './session-store.js'

/** The store of one-time codes in Redis: one hash per code. */
export class RedisCodeStore implements CodeStore {
  readonly #scripts: RedisScripts
  readonly #keys: Keys

  constructor(scripts: RedisScripts, keys: Keys) {
    this.#scripts = scripts
    this.#keys = keys
  }

  async create({ hash, issuer, sub, clientId, challenge, createdAt, expiresAt }: StoredCode): Promise<void> {
    const record = {
      issuer,
      sub,
      client: clientId ?? '',
      challenge: challenge ?? '',
      expires: String(expiresAt),
    }
    const life = expiresAt - createdAt + EXPIRY_SLACK
    await this.#run('createCode', hash, [life, ...Object.entries(record).flat()])
  }

  async use({ hash, clientId, challenge, sid, now }: CodeUse): Promise<CodeUseOutcome> {
    // The script compares the last argument with the clock of Redis, so it isn't the caller's `now`.
    const args = [challenge ?? '', clientId ?? '', sid, now, Date.now()]
    const reply = await this.#run('useCode', hash, args)
    const [kind, session, sub, client] = reply as [CodeUseOutcome['kind'], Sid, string, string]
    switch (kind) {
      case 'used':
        return { kind, issuer: session, sub, clientId: client === '' ? undefined : client }
      case 'reused':
        return { kind, sid: session, sub }
      default:
        return { kind }
    }
  }

  async #run(
    script: 'createCode' | 'useCode',
    hash: string,
    args: readonly (string | number)[],
  ): Promise<unknown> {
    try {
      return await this.#scripts[script](this.#keys.code(hash), ...args)
    } catch (error) {
      throw storeUnavailable(error)
    }
  }
}
