/** Loaded into the Node processes that are measured: they tell what they have used, and end with the bench. */
import type { Usage } from './usage.js'

process.on('message', (message) => {
  if (message !== 'usage') return
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpuMicroseconds: user + system, rssBytes: process.memoryUsage.rss() }
  process.send!(usage)
})
process.on('disconnect', () => process.exit(0))
