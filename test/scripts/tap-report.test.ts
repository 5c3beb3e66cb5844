import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import t from 'tap'

interface Counts {
  passed: number
  failed: number
  skipped: number
}
type Report = (stream: Readable, files: string[], say: (line: string) => void) => Promise<Counts>

const root = new URL('../../../', import.meta.url)
const { reportTap } = (await import(new URL('scripts/tap-report.mjs', root).href)) as { reportTap: Report }

/** Reports TAP that tap printed when it ran one file. */
async function reportRecorded(recording: string, file: string) {
  const lines: string[] = []
  const stream = createReadStream(new URL(`test/fixtures/tap/${recording}.tap`, root))
  const counts = await reportTap(stream, [`dist/test/${file}.test.js`], (line) => lines.push(line))
  return { counts, lines: lines.join('\n') }
}

t.test('tests are counted, not assertions: one that fails in two rounds fails once', async (t) => {
  const { counts, lines } = await reportRecorded('mixed', 'fails')
  // passed: "leaf 1" (5 assertions), "inner", "has a todo assertion", "no assertions"
  // failed: "leaf 2", "leaf 3" (2 assertions), "same", "outer" (by its own assertion), "throws", "wrong plan"
  t.same(counts, { passed: 4, failed: 6, skipped: 1 })
  for (const failure of ['leaf 3 > round 3', 'leaf 3 > round 4', 'outer > its own', 'outer > same > same'])
    t.match(lines, `✖ dist/test/fails.test.js > ${failure}\n`, 'each failed assertion is shown')
  t.match(lines, 'skipped: dist/test/fails.test.js > skipped (why)')
})

t.test('a file without test blocks is one test', async (t) => {
  t.same((await reportRecorded('no-block', 'top')).counts, { passed: 1, failed: 0, skipped: 0 })
})

t.test('a failed assertion outside of the blocks counts as one more failure', async (t) => {
  t.same((await reportRecorded('failure-outside', 'topfails')).counts, { passed: 1, failed: 1, skipped: 0 })
})

t.test('the test during which its file was killed has failed, although tap counts no failure', async (t) => {
  const { counts, lines } = await reportRecorded('killed', 'killed')
  t.same(counts, { passed: 1, failed: 1, skipped: 0 })
  t.match(lines, 'is killed amid its work: ended without a result')
})

t.test('a file that was killed between two tests has failed', async (t) => {
  const file = 'dist/test/between.test.js'
  const tap = `TAP version 14\n1..1\n# Subtest: ${file}\n    # Subtest: a\n        ok 1 - x\n        1..1
    ok 1 - a\n    1..1\nnot ok 1 - ${file}\n  ---\n  exitCode: null\n  signal: SIGKILL\n  ...\n# { total: 1, pass: 1 }\n`
  const counts = await reportTap(Readable.from([tap]), [file], () => {})
  t.same(counts, { passed: 1, failed: 1, skipped: 0 })
})

t.test('a file that timed out has failed, and so has the hanging test', async (t) => {
  const { counts, lines } = await reportRecorded('timed-out', 'timeout')
  t.same(counts, { passed: 2, failed: 2, skipped: 0 })
  t.match(lines, 'outer > hangs > timeout!')
  t.match(lines, 'test/timeout.test.ts  gave no result')
})

t.test('a file that crashed, exited with an error or ended before its plan has failed', async (t) => {
  t.same((await reportRecorded('crashed', 'crash')).counts, { passed: 0, failed: 1, skipped: 0 })
  t.same((await reportRecorded('exit-code', 'exit')).counts, { passed: 1, failed: 1, skipped: 0 })
  t.same((await reportRecorded('unfinished', 'exitzero')).counts, { passed: 1, failed: 1, skipped: 0 })
})

t.test('a file that ends before its first test has failed; a skipped one has not', async (t) => {
  t.same((await reportRecorded('no-test', 'empty')).counts, { passed: 0, failed: 1, skipped: 0 })
  t.same((await reportRecorded('skipped', 'skipall')).counts, { passed: 0, failed: 0, skipped: 1 })
})

t.test('an interrupted run has failed, with every file without a result', async (t) => {
  const { counts, lines } = await reportRecorded('bail-out', 'bail')
  t.ok(counts.failed >= 2)
  t.match(lines, 'Bail out! server is away')
  const nothing = await reportTap(Readable.from(['TAP version 14\n']), ['dist/test/a.test.js'], () => {})
  t.same(nothing, { passed: 0, failed: 1, skipped: 0 })
})
