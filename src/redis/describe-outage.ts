import { Redis, ReplyError } from 'ioredis'
import { explainTlsFailure } from '../tls-failure.js'
import type { TlsAdvice } from '../tls-failure.js'
import type { RedisClient } from './redis-client.js'

const ADVICE: TlsAdvice = {
  ca: 'start Node with NODE_EXTRA_CA_CERTS=FILE, the file of its CA',
  name: 'write the name of the certificate in the URL',
  cert: 'a URL has no place for one, but an application can pass options of ioredis as store (tls)',
  plain: 'write redis:// instead of rediss://, or enable TLS on the server',
}

/** The message about a connection that ends before its first reply. */
export const CLOSED_EARLY =
  'store: the server closes the connection before it replies; if it expects TLS, write rediss:// instead of redis://'

/** An error of a command or a connection. Don't log the command's arguments: they can contain a password. */
type RedisError = Error & { readonly code?: string; command?: { name: string; args: unknown[] } }

/** Describes the error of a connection attempt for the log, with the setting that may be wrong. */
export function describeOutage(client: RedisClient, error: RedisError): string {
  const { message, code = '', command } = error
  if (error instanceof ReplyError) {
    return command?.name === 'select'
      ? `store: database ${String(command.args[0])} cannot be selected, so Redis is not used: ${message}`
      : `store: Redis refuses the connection: ${message}`
  }
  if (message.startsWith('Unknown RESP type')) {
    return 'store: the server does not speak the Redis protocol; check the port of the URL, and whether it must begin with rediss://'
  }
  if (!usesTls(client)) {
    const isCut = code === 'EPIPE' || code === 'ECONNRESET'
    return isCut ? CLOSED_EARLY : 'Redis is unreachable'
  }
  const failure = explainTlsFailure(code, ADVICE)
  if (failure !== undefined) return `store: there is no TLS connection to Redis: ${failure}`
  if (code !== 'ETIMEDOUT' && code !== 'ECONNRESET') return 'Redis is unreachable'
  // Redis treats the first bytes of TLS as the beginning of a command, and waits for the rest.
  return `store: Redis completes no TLS handshake; it is unreachable or does not speak TLS (${ADVICE.plain})`
}

function usesTls(client: RedisClient): boolean {
  return client instanceof Redis && client.options.tls !== undefined
}
