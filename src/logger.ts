import { pino } from 'pino'
import type { Logger } from 'pino'

/**
 * Creates the logger, which writes JSON lines to the standard output.
 *
 * No caller logs a secret. The redaction only limits the damage of a mistake. Names that a client chose can't forge a
 * log line, because JSON escapes line breaks.
 *
 * @param level `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.
 */
export function createLogger({ level }: { level: string }): Logger {
  return pino({
    level,
    redact: {
      paths: [
        'password',
        'refresh_token',
        'access_token',
        'token',
        '*.password',
        '*.refresh_token',
        '*.access_token',
        '*.token',
        'req.headers.authorization',
        'req.headers.cookie',
        'headers.authorization',
        'headers.cookie',
        'headers["set-cookie"]',
      ],
    },
  })
}
