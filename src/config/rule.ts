/** A rule over several settings. It is skipped if one of its settings has an error of its own. */
export interface Rule<S> {
  /** Paths of the settings. The error is reported for the first. */
  readonly keys: readonly [string, ...string[]]
  /** Returns the error message, or `false` if the settings fit together. */
  readonly wrong: (settings: S) => string | false
}
