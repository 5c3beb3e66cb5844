/** Draws the table as an SVG bar chart. */
import type { Results, Row } from './results.js'

const [LABELS, BARS, NUMBERS, LINE, TOP] = [400, 460, 120, 22, 46]
const COLOURS = { ours: '#1f6f5c', base: '#8a8f98', others: '#c9ccd1', whisker: '#30343b' }

export function plot({ rows, options }: Results): string {
  const { algorithm, tokens, baseline } = options
  const most = Math.max(...rows.map(({ cpuMicroseconds }) => cpuMicroseconds.max))
  const [width, height] = [LABELS + BARS + NUMBERS, TOP + rows.length * LINE + 12]
  const heading = `CPU per request, µs · ${algorithm}, ${tokens.toLocaleString('en')} ${tokens === 1 ? 'token' : 'tokens'}`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="12" y="26" font-size="15" font-weight="600">${heading}</text>
${rows.map((row, i) => bar(row, i, BARS / most, baseline)).join('\n')}
</svg>`
}

function bar({ name, title, cpuMicroseconds: cpu, ratio }: Row, i: number, scale: number, base: string) {
  const y = TOP + i * LINE
  const [middle, end] = [y + LINE / 2, LABELS + cpu.max * scale]
  const isOurs = /^(?:plugin|gateway)|portcullis$/.test(name)
  const colour = isOurs ? COLOURS.ours : name === base ? COLOURS.base : COLOURS.others
  const at = (value: number) => (LABELS + value * scale).toFixed(1)
  return `<text x="${LABELS - 8}" y="${middle + 4}" text-anchor="end">${escape(title)}</text>
<rect x="${LABELS}" y="${y + 3}" width="${(cpu.median * scale).toFixed(1)}" height="${LINE - 6}" fill="${colour}"/>
<path d="M${at(cpu.min)} ${middle}H${at(cpu.max)}" stroke="${COLOURS.whisker}"/>
<text x="${(end + 6).toFixed(1)}" y="${middle + 4}">${cpu.median.toFixed(1)} · ${ratio.median.toFixed(2)}×</text>`
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }
const escape = (text: string) => text.replaceAll(/[&<>]/g, (one) => ENTITIES[one]!)
