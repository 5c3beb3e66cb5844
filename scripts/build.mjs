import { build, ensureInstalled } from './setup.mjs'

try {
  await ensureInstalled()
  await build({ force: true })
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
