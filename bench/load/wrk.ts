import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Load, LoadResult } from '../load.js'

const run = promisify(execFile)

/** All requests are built before the measurement starts, and are then sent in turn. */
const SCRIPT = `
local requests, at = {}, 0

function init(args)
  for token in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format('GET', '/', { Host = wrk.headers['Host'], Authorization = 'Bearer ' .. token })
  end
  if #requests == 0 then requests[1] = wrk.format('GET', '/') end
  at = tonumber(args[2]) % #requests
end

function request()
  at = at + 1
  if at > #requests then at = 1 end
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"seconds":%f,"p50Milliseconds":%f,"failures":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
`

/** Runs wrk with one thread, because it does much less work per request than any of the servers. */
export async function loadWithWrk(load: Load): Promise<LoadResult> {
  const { url, tokensFile, first, connections, seconds } = load
  const script = join(dirname(tokensFile), 'load.lua')
  await writeFile(script, SCRIPT)
  const duration = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`]
  const args = [...duration, '--script', script, `${url}/`, '--', tokensFile, String(first)]
  const { stdout } = await run('wrk', args, { timeout: (seconds + 60) * 1_000 })
  const line = stdout.split('\n').find((one) => one.startsWith('{'))
  if (line === undefined) throw new Error(`wrk printed no result:\n${stdout}`)
  return JSON.parse(line) as LoadResult
}
