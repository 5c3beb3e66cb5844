import { pino } from 'pino'
import type { BaseLogger, Logger } from 'pino'
import { Counter } from 'prom-client'
import type { Registry } from 'prom-client'
import { LogOutput } from './log-output.js'
import { openStandardOutput } from './standard-output.js'

/** The log of an application. The loggers of Fastify and pino have this form. */
export type Log = Pick<BaseLogger, 'debug' | 'info' | 'warn' | 'error'>

/** The one output of this process. */
const output = new LogOutput(openStandardOutput)

/**
 * Creates the logger, which writes JSON lines to the standard output. Await {@link flushLog} before the process exits.
 *
 * No caller logs a secret. The redaction only limits the damage of a mistake. Names that a client chose can't forge a
 * log line, because JSON escapes line breaks.
 *
 * @param level `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.
 */
export function createLogger({ level }: { level: string }): Logger {
  const redact = {
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
  }
  const log = pino({ level, redact }, { write: (line) => output.write(line) })
  output.reportDropped((lines) => {
    log.warn({ event: 'log_dropped', lines }, 'log lines were dropped, because the log could not be written')
  })
  return log
}

/** Resolves when the log is written, or after 1 s if it can't be written. */
export function flushLog(): Promise<void> {
  return output.flush()
}

/** Adds the metrics of the log to the registry. */
export function watchLog(registry: Registry): void {
  void new Counter({
    name: 'portcullis_log_lines_dropped_total',
    help: 'Log lines that were dropped, because the log could not be written',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(output.dropped)
    },
  })
}
