/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** The setting, as a path: `tokens.access`, `routes[1].path`. */
  readonly key: string
  /** Where the value was written: a file and line, a flag, a variable, `default`; null when it was written nowhere. */
  readonly source: string | null
  /** What is wrong and what would be right. Never holds a secret. */
  readonly message: string
}

/** Everything that is wrong with a configuration, found in one go; the message has a line for each problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(line).join('\n'))
    this.problems = problems
  }
}

function line({ key, source, message }: ConfigProblem): string {
  const subject = key === '' ? '' : `${key}: `
  return `${subject}${message}${source === null ? '' : ` (from ${source})`}`
}

/** Thrown by the readers of single values; the walk over the schema turns it into a {@link ConfigProblem}. */
export class Mistake extends Error {}

export function refuse(message: string): never {
  throw new Mistake(message)
}
