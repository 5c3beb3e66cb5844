import t from 'tap'
import { LogOutput } from '../src/log-output.js'
import type { Write } from '../src/log-output.js'

const line = (i: number) => `line ${i}\n`
const kilobyte = `${'x'.repeat(1023)}\n`

/** An output whose writes fail with `error` while it is set, else take at most `limit` bytes. */
function fakeOutput() {
  const state = { error: undefined as string | undefined, limit: Infinity, text: '', writes: [] as number[] }
  const write: Write = (bytes, done) => {
    if (state.error !== undefined)
      return done(Object.assign(new Error(state.error), { code: state.error }), 0)
    const written = Math.min(bytes.length, state.limit)
    state.text += bytes.toString('utf8', 0, written)
    state.writes.push(written)
    done(null, written)
  }
  return { state, output: new LogOutput(() => write) }
}

t.test('lines are written at once and in order', async (t) => {
  const { state, output } = fakeOutput()
  for (let i = 0; i < 3; i++) output.write(line(i))
  t.equal(state.text, 'line 0\nline 1\nline 2\n')
})

t.test('a partial write is continued', async (t) => {
  const { state, output } = fakeOutput()
  state.limit = 5
  output.write('äöüäöü\n')
  t.equal(state.text.length > 0 && state.writes.length, 3)
})

t.test('an asynchronous write in progress keeps the order, and a flush waits for it', async (t) => {
  let text = ''
  const pending: (() => void)[] = []
  const output = new LogOutput(
    () => (bytes, done) =>
      void pending.push(() => {
        text += bytes.toString()
        done(null, bytes.length)
      }),
  )
  for (let i = 0; i < 3; i++) output.write(line(i))
  t.equal(pending.length, 1)
  let isFlushed = false
  const flushed = output.flush(60_000).then(() => (isFlushed = true))
  pending.shift()!()
  await new Promise(setImmediate)
  t.notOk(isFlushed)
  pending.shift()!()
  await flushed
  t.equal(text, 'line 0\nline 1\nline 2\n')
})

for (const error of ['EAGAIN', 'ENOSPC', 'EIO', 'EPIPE']) {
  t.test(`after ${error} the lines are written later, in order`, async (t) => {
    const { state, output } = fakeOutput()
    state.error = error
    for (let i = 0; i < 3; i++) output.write(line(i))
    t.equal(state.text, '')
    state.error = undefined
    await output.flush(60_000)
    t.equal(state.text, 'line 0\nline 1\nline 2\n')
    t.equal(output.dropped, 0)
  })
}

t.test('a failed write is repeated without a new line', async (t) => {
  const { state, output } = fakeOutput()
  state.error = 'EAGAIN'
  output.write(line(0))
  state.error = undefined
  // The timer of the output doesn't keep the process alive, but this one does.
  while (state.text === '') await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal(state.text, line(0))
})

t.test('lines beyond 1 MB are dropped and counted, and reported once when there is room', async (t) => {
  const { state, output } = fakeOutput()
  const reports: number[] = []
  output.reportDropped((lines) => {
    reports.push(lines)
    output.write('the report\n')
  })
  state.error = 'EAGAIN'
  for (let i = 0; i < 1_100; i++) output.write(kilobyte)
  t.equal(output.dropped, 76)
  output.write('a short line would fit, but it would come after a gap that is not reported\n')
  t.equal(output.dropped, 77)
  t.strictSame(reports, [])
  state.error = undefined
  await output.flush(60_000)
  t.strictSame(reports, [77])
  t.equal(state.text, `${kilobyte.repeat(1024)}the report\n`)
  output.write(line(0))
  t.ok(state.text.endsWith(line(0)))
  t.equal(output.dropped, 77)
})

t.test('no write that takes whole lines is longer than a pipe takes at once', async (t) => {
  const { state, output } = fakeOutput()
  state.error = 'EAGAIN'
  for (let i = 0; i < 20; i++) output.write(kilobyte)
  output.write(`${'y'.repeat(9_999)}\n`)
  output.write(kilobyte)
  state.error = undefined
  await output.flush(60_000)
  // The first write was begun with one line.
  t.strictSame(state.writes, [1024, 4096, 4096, 4096, 4096, 3072, 10_000, 1024])
})

t.test('a flush ends although nothing can be written', async (t) => {
  const { state, output } = fakeOutput()
  state.error = 'ENOSPC'
  output.write(line(0))
  await output.flush(50)
  t.equal(state.text, '')
})
