// npm run build: installs missing dependencies and compiles.
import { setUp } from './setup.mjs'

try {
  await setUp()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
