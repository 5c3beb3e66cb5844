import { pino } from 'pino'
import type { Logger } from 'pino'

/**
 * The log: JSON lines on the standard output. Nothing secret is given to it; the redaction is the net below. Names that
 * callers made up stay within their record, as JSON escapes line breaks.
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
