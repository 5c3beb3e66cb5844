/** A process whose wall clock a test sets, by libfaketime; its monotonic clock is the true one. */
import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const LIBRARY = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib', '/usr/local/lib']
  .map((directory) => join(directory, 'faketime/libfaketime.so.1'))
  .find((file) => existsSync(file))

/** For `t.test`: the reason to leave it out. */
export const skip = LIBRARY === undefined && 'needs libfaketime (a Debian package)'

export interface FakeClock {
  /** What the process is to be started with. */
  readonly env: NodeJS.ProcessEnv
  /** How far the wall clock is ahead of the true time from now on. */
  set(milliseconds: number): Promise<void>
}

export async function fakeClock(directory: string, milliseconds: number): Promise<FakeClock> {
  const file = join(directory, `clock-${Math.random().toString(36).slice(2)}`)
  const set = async (ahead: number) => {
    // Never half-written: it is read at any moment.
    await writeFile(`${file}.new`, `${ahead < 0 ? '-' : '+'}${Math.abs(ahead) / 1_000}`)
    await rename(`${file}.new`, file)
  }
  await set(milliseconds)
  return {
    set,
    env: {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_RESET: '1',
    },
  }
}
