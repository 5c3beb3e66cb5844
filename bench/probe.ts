/** Runs in the measured Node processes. It reports their CPU time and memory, and ends them with the bench. */
import type { Usage } from './usage.js'

process.on('message', (message) => {
  if (message !== 'usage') return
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpuMicroseconds: user + system, rssBytes: process.memoryUsage.rss() }
  process.send!(usage)
})
process.on('disconnect', () => process.exit(0))
