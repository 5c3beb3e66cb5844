/** One error in the configuration. */
export interface ConfigProblem {
  /** The path of the setting, such as `tokens.access` or `routes[1].path`. It is empty for an error of a whole file. */
  readonly key: string
  /** The origin of the value: file and line, flag, variable, or `default`. It is `null` if there is no value. */
  readonly source: string | null
  /** A description of the error with a value that would work. It never contains a secret. */
  readonly message: string
}

/** An error with all errors of a configuration. Its message has one line for each of them. */
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

/** An error of a single value. `readLayers` turns it into a {@link ConfigProblem}. */
export class Mistake extends Error {}

/** @throws {Mistake} always */
export function refuse(message: string): never {
  throw new Mistake(message)
}
