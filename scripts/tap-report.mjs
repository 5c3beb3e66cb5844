import { Parser } from 'tap-parser'
import { stringify } from 'yaml'

/** Diagnostics about how tap ran a file. They don't explain a failure. */
const HOW_IT_RAN = new Set(['stdio', 'cwd', 'externalID', 'command', 'args', 'jobId'])
/** The reason that tap gives for a file that ended without an error before its first test. */
const NO_TESTS = 'no tests found'

/**
 * Reads the TAP output of a run of these files, and counts tests, which are the innermost `t.test` blocks. A file
 * without such blocks is one test. A block that contains others counts only if it fails by itself, because of an
 * assertion of its own, a plan that isn't met, or a hook that throws.
 *
 * `failed` also counts each of these at least once: a test that was still running when its file ended; a file that was
 * killed, crashed, timed out (tap then doesn't name the file), or exited with an error; a file without any test or
 * without a result; and a run that was interrupted.
 *
 * `say` is called with one line for each file, followed by its failures in full and its skipped tests.
 */
export function reportTap(stream, files, say = console.log) {
  const missing = new Set(files)
  const counts = { passed: 0, failed: 0, skipped: 0 }
  /** Failed assertions by tap's own count. */
  const assertions = { fail: 0 }
  let findings = []

  /** @param diagnostics `null` if a process died before it could write them. */
  function find(headline, diagnostics) {
    findings.push(`  ${headline}`)
    const why = Object.entries(diagnostics ?? {}).filter(([key]) => !HOW_IT_RAN.has(key))
    if (why.length === 0) return
    findings.push(stringify(Object.fromEntries(why)).trimEnd().replaceAll(/^/gm, '      '))
  }

  function fail(headline, diagnostics) {
    counts.failed += 1
    find(`✖ ${headline}`, diagnostics)
  }

  /** Counts one block. `result` is undefined if the block has none, because its file ended too early. */
  function count({ name, ownFailures, blocks, failedBefore }, result) {
    const [first, ...others] = ownFailures
    if (first) {
      fail(first.fullname, first.diag)
      for (const other of others) find(`✖ ${other.fullname}`, other.diag)
    } else if (!result) {
      fail(`${name}: ended without a result`)
    } else if (result.skip) {
      skip(result)
    } else if (!result.ok && !result.todo) {
      // If the count has changed, this block failed only because a block in it failed.
      if (counts.failed === failedBefore) fail(result.fullname, result.diag)
    } else if (!result.todo && blocks === 0) {
      counts.passed += 1
    }
  }

  function skip({ fullname, skip: why }) {
    if (why === NO_TESTS) {
      fail(`${fullname}: no test was run`)
      return
    }
    counts.skipped += 1
    find(`– skipped: ${fullname}${why === true ? '' : ` (${why})`}`)
  }

  /** Follows the blocks of a parser. `onResult` receives the results at this level, each with its block, if it has one. */
  function follow(parser, onResult) {
    let open
    const close = (result) => {
      const block = open
      open = undefined
      if (block) count(block, result)
      return block
    }
    parser.on('child', (child) => {
      close()
      const block = { name: child.fullname, ownFailures: [], blocks: 0, failedBefore: counts.failed }
      open = block
      follow(child, (result, inner) => {
        // A skipped test is a result without a block.
        if (inner || result.skip) block.blocks += 1
        if (!inner && result.skip) skip(result)
        if (!inner && !result.ok && !result.todo && !result.skip) block.ownFailures.push(result)
      })
    })
    parser.on('assert', (result) => onResult(result, close(result)))
    parser.on('complete', () => close())
  }

  const parser = new Parser()
  follow(parser, (result, block) => {
    const { ok, name, time } = result
    // A result without a block is tap's own, such as a plan that the run didn't meet.
    if (!block && !ok) fail(name, result.diag)
    missing.delete(name)
    say(`${ok ? '✔' : '✖'} ${sourceOf(name)}  ${((time ?? 0) / 1000).toFixed(2)} s`)
    for (const line of findings.splice(0)) say(line)
  })
  parser.on('bailout', (reason) => fail(`Bail out! ${reason}`))
  parser.on('comment', (comment) => {
    if (comment.startsWith('# { total:')) assertions.fail = Number(/fail: (\d+)/.exec(comment)?.[1] ?? 0)
  })
  return new Promise((resolve) => {
    parser.on('complete', () => {
      for (const line of findings) say(line)
      findings = []
      for (const file of missing) {
        counts.failed += 1
        say(`✖ ${sourceOf(file)}  gave no result`)
      }
      if (assertions.fail > 0 && counts.failed === 0) counts.failed = 1
      resolve(counts)
    })
    stream.pipe(parser)
  })
}

function sourceOf(file) {
  return file.replace(/^dist\//, '').replace(/\.js$/, '.ts')
}
