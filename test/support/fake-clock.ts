/** libfaketime, which gives a process a wall clock that tests move while it runs. Its monotonic clock is the true one. */
import { spawnSync } from 'node:child_process'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

let library: string | null | undefined

/** Returns the path of the library, or `null` if it isn't installed. `npm test` names the command in the environment. */
function findLibrary(): string | null {
  const command = process.env['TEST_FAKETIME_SERVER'] ?? 'faketime'
  if (command === '') return null
  const { status, stdout } = spawnSync(command, ['-f', '+0', 'sh', '-c', 'echo $LD_PRELOAD'])
  return status === 0 ? String(stdout).trim() : null
}

/** Returns true if the clocks of other processes can be moved on this machine. */
export function canMoveClocks(): boolean {
  library ??= findLibrary()
  return library !== null
}

/** The reason to skip a test that moves the clock of another process, for `t.test`, or `false`. */
export const skip = !canMoveClocks() && 'needs libfaketime (the Debian package faketime)'

/** Returns the environment of a process whose clock is read from `file`: an offset in seconds with its sign. */
export function clockEnvironment(file: string): Record<string, string> {
  if (!canMoveClocks()) return {}
  return {
    LD_PRELOAD: library!,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    FAKETIME_DONT_RESET: '1',
  }
}

export interface FakeClock {
  /** Environment variables with which the process must be started. */
  readonly env: Readonly<Record<string, string>>
  /** Sets how far the wall clock is ahead of the true time from now on. */
  set(milliseconds: number): Promise<void>
}

export async function fakeClock(directory: string, milliseconds: number): Promise<FakeClock> {
  const file = join(directory, `clock-${Math.random().toString(36).slice(2)}`)
  const set = async (ahead: number) => {
    // The process reads the file at any moment, so it must never be half-written.
    await writeFile(`${file}.new`, `${ahead < 0 ? '-' : '+'}${Math.abs(ahead) / 1_000}`)
    await rename(`${file}.new`, file)
  }
  await set(milliseconds)
  return { set, env: clockEnvironment(file) }
}
