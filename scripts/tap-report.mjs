import { Parser } from 'tap-parser'
import { stringify } from 'yaml'

/** Of a file's own result: how tap ran it, which says nothing about why it failed. */
const HOW_IT_RAN = new Set(['stdio', 'cwd', 'externalID', 'command', 'args', 'jobId'])

/**
 * Reads TAP as tap prints it for these files. Says one line for each test file, and below it each failure in full and
 * each test that was skipped. Resolves to the counts: `passed`, `failed` and `skipped` as tap itself adds them up, and
 * `failures`, which has also what tap's sum leaves out: a file that was killed, or has no result at all (after a
 * timeout, tap loses one).
 */
export function reportTap(stream, files, say = console.log) {
  const missing = new Set(files)
  const total = { pass: 0, fail: 0, skip: 0 }
  let failures = 0
  let findings = []

  function finding(headline, { diag }) {
    findings.push(`  ${headline}`)
    const why = Object.entries(diag ?? {}).filter(([key]) => !HOW_IT_RAN.has(key))
    if (why.length > 0)
      findings.push(stringify(Object.fromEntries(why)).trimEnd().replaceAll(/^/gm, '      '))
  }

  /** `onResult` is called for each result at this level, after those of the subtest that it sums up, if any. */
  function follow(parser, onResult) {
    let subtest
    parser.on('child', (child) => {
      subtest = { name: child.name, failuresBefore: failures }
      follow(child, () => {})
    })
    parser.on('assert', (result) => {
      const { ok, skip, todo, name, fullname } = result
      // a subtest with a failure that was told already fails only for that
      const told = subtest?.name === name && failures > subtest.failuresBefore
      subtest = undefined
      if (skip) finding(`– skipped: ${fullname}${skip === true ? '' : ` (${skip})`}`, {})
      else if (!ok && !todo && !told) {
        failures += 1
        finding(`✖ ${fullname}`, result)
      }
      onResult(result)
    })
  }

  const parser = new Parser()
  follow(parser, ({ ok, name, time }) => {
    missing.delete(name)
    say(`${ok ? '✔' : '✖'} ${sourceOf(name)}  ${((time ?? 0) / 1000).toFixed(2)} s`)
    for (const line of findings) say(line)
    findings = []
  })
  parser.on('comment', (comment) => {
    if (!comment.startsWith('# { total:')) return
    for (const [, what, number] of comment.matchAll(/(\w+): (\d+)/g)) total[what] = Number(number)
  })
  return new Promise((resolve) => {
    parser.on('complete', () => {
      for (const file of missing) say(`✖ ${sourceOf(file)}  gave no result`)
      failures += missing.size
      resolve({ passed: total.pass, failed: total.fail, skipped: total.skip, failures })
    })
    stream.pipe(parser)
  })
}

function sourceOf(file) {
  return file.replace(/^dist\//, '').replace(/\.js$/, '.ts')
}
