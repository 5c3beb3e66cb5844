/** libfaketime, which gives a process a wall clock that can be moved while it runs. */
import { spawnSync } from 'node:child_process'

let library: string | null | undefined

/** The library as LD_PRELOAD wants it; `null` where there is none. */
function findLibrary(): string | null {
  const command = process.env['TEST_FAKETIME_SERVER'] ?? 'faketime'
  if (command === '') return null
  const { status, stdout } = spawnSync(command, ['-f', '+0', 'sh', '-c', 'echo $LD_PRELOAD'])
  return status === 0 ? String(stdout).trim() : null
}

/** Clocks can be moved here. */
export function canMoveClocks(): boolean {
  library ??= findLibrary()
  return library !== null
}

/** The environment of a process whose clock is read from `file`: an offset in seconds with its sign. */
export function clockEnvironment(file: string): Record<string, string> {
  if (!canMoveClocks()) return {}
  return {
    LD_PRELOAD: library!,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
}
