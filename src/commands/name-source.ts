import { isExpected } from './command.js'

/** Messages of errors of the start begin with the key of the setting. */
const KEY = /^[a-z]\w*(?:\.\w+|\[\d+\])*(?=: )/i

/**
 * Waits for a start that may fail by a setting, and appends the origin of that setting to the error, as configuration
 * errors have it.
 *
 * @param sourceOf Returns the file and line, flag or variable of a setting, by its key.
 * @throws the error of the start
 */
export async function nameSource<T>(
  start: Promise<T>,
  sourceOf: (key: string) => string | undefined,
): Promise<T> {
  try {
    return await start
  } catch (error) {
    if (!isExpected(error)) throw error
    const source = sourceOf(KEY.exec(error.message)?.[0] ?? '')
    if (source !== undefined) error.message += ` (from ${source})`
    throw error
  }
}
