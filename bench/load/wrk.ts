import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Load, LoadResult } from '../load.js'

const run = promisify(execFile)

/** Requests are made before the clock runs; while it does, one is taken after the other. */
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

/** One thread: what it has to do for a request is a fraction of what any of the servers has. */
export async function loadWithWrk(load: Load): Promise<LoadResult> {
  const { url, tokensFile, first, connections, seconds } = load
  const script = join(dirname(tokensFile), 'load.lua')
  await writeFile(script, SCRIPT)
  const duration = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`]
  const args = [...duration, '--script', script, `${url}/`, '--', tokensFile, String(first)]
  const { stdout } = await run('wrk', args, { timeout: (seconds + 60) * 1_000 })
  const line = stdout.split('\n').find((one) => one.startsWith('{'))
  if (line === undefined) throw new Error(`wrk said nothing of its result:\n${stdout}`)
  return JSON.parse(line) as LoadResult
}
