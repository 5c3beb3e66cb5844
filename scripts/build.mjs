// npm run build: installs what is missing, and compiles.
import { setUp } from './setup.mjs'

try {
  await setUp()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
