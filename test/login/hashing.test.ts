import { execFileSync } from 'node:child_process'
import t from 'tap'

const index = JSON.stringify(new URL('../../src/index.js', import.meta.url).href)
const usersFile = JSON.stringify(new URL('../../src/login/users-file.js', import.meta.url).href)

/** Returns the native libraries of `@node-rs` that a program has loaded at its end. */
function loadedBy(program: string): string[] {
  const report = 'console.log(JSON.stringify(process.report.getReport().sharedObjects))'
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', `${program}\n${report}`])
  const objects = JSON.parse(String(output)) as string[]
  return ['argon2', 'bcrypt'].filter((name) => objects.some((path) => path.includes(name)))
}

t.test('the plugin without a users file loads no native library for hashes', async (t) => {
  t.strictSame(loadedBy(`import ${index}`), [])
})

t.test('a users file loads them', async (t) => {
  const hash = '$2b$04$9pI7u1uXzNQy3pFPpXrGQuY0Jd8qFJ0Dk8q7HkTtqGZs0Z7oXv6aK'
  const file = JSON.stringify(`${t.testdir({ users: `ada:${hash}\n` })}/users`)
  const program = `import { UsersFile } from ${usersFile}; await UsersFile.open(${file}, () => {})`
  t.strictSame(loadedBy(program), ['argon2', 'bcrypt'])
})
