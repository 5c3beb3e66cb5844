/** Writes the results of a run as Markdown, SVG and JSON. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format } from 'prettier'
import { plot } from './plot.js'
import type { FigureResult, Results, Row, Verdict } from './results.js'
import type { Spread } from './statistics.js'

/** Formats a number with three significant digits, without an exponent. */
const short = (value: number) => (value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString())
const interval = ({ low, high }: Spread) => `${short(low)}–${short(high)}`
const spread = ({ median, min, max }: Spread) => `${short(median)} (${short(min)}–${short(max)})`

export function markdown({ options, machine, rows, figures, leftOut }: Results): string {
  const { algorithm, tokens, connections, rounds, launches, seconds, driver, baseline } = options
  return [
    `# ${algorithm}, ${tokens.toLocaleString('en')} ${tokens === 1 ? 'token' : 'tokens'}`,
    `CPU time of the server per request (user + system): the median of ${rounds * launches} rounds of ${seconds} s in ${launches} launches, with
minimum and maximum in brackets. The load is ${connections} connections of ${driver}. The ratio is to \`${baseline}\` in the same round.`,
    table(
      [
        'peer',
        '',
        'CPU µs/request',
        `to ${baseline}`,
        'p50 ms',
        'core busy',
        'RSS MB',
        'Redis commands/request',
      ],
      rows.map(cells),
    ),
    ...(figures.length === 0
      ? []
      : [
          '## Targets',
          table(
            ['', 'ratio', '95 % of the median', 'quiet rounds', 'reach', 'aim', ''],
            figures.map(figureCells),
          ),
        ]),
    ...(leftOut.length === 0
      ? []
      : ['## Left out', leftOut.map(({ name, why }) => `- \`${name}\`: ${why}`).join('\n')]),
    '## Machine',
    Object.entries(machine)
      .map(([name, value]) => `- ${name}: ${value}`)
      .join('\n'),
  ].join('\n\n')
}

function cells({ name, title, cpuMicroseconds, ratio, ...row }: Row): string[] {
  return [
    `\`${name}\``,
    title,
    spread(cpuMicroseconds),
    spread(ratio),
    row.p50Milliseconds.toFixed(2),
    `${Math.round(row.busy * 100)} %`,
    row.rssMegabytes.toFixed(0),
    row.redisCommands.toFixed(2),
  ]
}

const VERDICTS: Record<Verdict, string> = {
  aim: 'aim met',
  reached: 'met',
  missed: 'missed',
  open: 'undecided: the interval contains the target',
}

function figureCells({ what, rounds, ratio, reach, aim, verdict }: FigureResult): string[] {
  return [
    what,
    spread(ratio),
    interval(ratio),
    `${rounds}`,
    `≤ ${short(reach)}`,
    short(aim),
    VERDICTS[verdict],
  ]
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (columns: readonly string[]) => `| ${columns.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

/** Writes `<algorithm>-<tokens>` as .json, .md and .svg. Returns their paths. */
export async function writeResults(results: Results, directory: string): Promise<string[]> {
  const { algorithm, tokens } = results.options
  return writeFiles(directory, `${algorithm}-${tokens}`.toLowerCase(), {
    json: results,
    md: markdown(results),
    svg: plot(results),
  })
}

export async function writeFiles(
  directory: string,
  name: string,
  { json, ...texts }: { json: object; md: string; svg?: string },
): Promise<string[]> {
  await mkdir(directory, { recursive: true })
  // Formatted like all files of the repository, so that results can be committed.
  const style = { parser: 'json', printWidth: 110 }
  const all = { json: await format(JSON.stringify(json), style), ...texts }
  const files = Object.entries(all).map(([kind, text]) => [join(directory, `${name}.${kind}`), text] as const)
  for (const [file, text] of files) await writeFile(file, `${text.trimEnd()}\n`)
  return files.map(([file]) => file)
}
