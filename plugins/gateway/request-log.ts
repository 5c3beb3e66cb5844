import type { FastifyBaseLogger, FastifyServerOptions } from 'fastify'

type Given = Parameters<NonNullable<FastifyServerOptions['childLoggerFactory']>>
type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
type Line = readonly unknown[]

/**
 * A request's log, made when its first line is written. Most requests write none, and a child of pino's costs 2 KB,
 * as the redaction goes over its bindings.
 */
class RequestLog implements Record<Level, (...line: Line) => void> {
  readonly #given: Given
  #made: FastifyBaseLogger | undefined

  constructor(given: Given) {
    this.#given = given
  }

  get #log(): FastifyBaseLogger {
    const [parent, bindings, options] = this.#given
    return (this.#made ??= parent.child(bindings, options))
  }

  get level(): string {
    return this.#log.level
  }

  child(...given: Parameters<FastifyBaseLogger['child']>): FastifyBaseLogger {
    return this.#log.child(...given)
  }

  fatal(...line: Line): void {
    this.#write('fatal', line)
  }

  error(...line: Line): void {
    this.#write('error', line)
  }

  warn(...line: Line): void {
    this.#write('warn', line)
  }

  info(...line: Line): void {
    this.#write('info', line)
  }

  debug(...line: Line): void {
    this.#write('debug', line)
  }

  trace(...line: Line): void {
    this.#write('trace', line)
  }

  silent(...line: Line): void {
    this.#write('silent', line)
  }

  #write(level: Level, line: Line): void {
    Reflect.apply(this.#log[level], this.#log, line)
  }
}

/** For Fastify's option of this name. */
export function childLoggerFactory(...given: Given): FastifyBaseLogger {
  return new RequestLog(given)
}
