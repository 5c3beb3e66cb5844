import t from 'tap'
import {
  formatMany,
  formatPosition,
  parseEntry,
  parsePosition,
  parseRow,
  isAtOrAfter,
  START,
} from '../../src/revocation/entry.js'

const parse = (text: string) => parseEntry(Buffer.from(text))

t.test('log positions compare as pairs of numbers, not as text', async (t) => {
  const at = parsePosition
  t.ok(isAtOrAfter(at('10-0'), at('9-0')), '10 is behind 9')
  t.ok(isAtOrAfter(at('5-10'), at('5-9')))
  t.notOk(isAtOrAfter(at('5-9'), at('5-10')))
  t.notOk(isAtOrAfter(at('9-99'), at('10-0')), 'the first number comes first')
  t.ok(isAtOrAfter(at('5-9'), at('5-9')), 'a place reaches itself')
  t.ok(isAtOrAfter(at('0-0'), START))
})

t.test('a log position survives formatting and parsing', async (t) => {
  t.equal(formatPosition(parsePosition('1800000000000-17')), '1800000000000-17')
})

t.test('an entry survives formatting and parsing, whatever its id contains', async (t) => {
  t.strictSame(parse('sub 1800000002000 1800000900000 änna b c'), {
    kind: 'sub',
    id: 'änna b c',
    before: 1_800_000_002_000,
    until: 1_800_000_900_000,
  })
})

t.test('epoch markers and unknown kinds are skipped', async (t) => {
  t.equal(parse('epoch q7w8e9r0t1y2'), undefined)
  t.equal(parse('device 0 1800000900000 d1'), undefined)
  t.equal(parse(''), undefined)
})

t.test(
  'a row with many entries survives formatting and parsing, and no id can inject an entry',
  async (t) => {
    const ids = ['s1', 'a\nsid 0 1800000900000 injected', '100%', '%0A', '%25', 'a b', 'änna', '\n']
    const entries = ids.map((id) => ({ kind: 'sub', id, before: 7, until: 1_800_000_900_000 }) as const)
    t.strictSame(parseRow(Buffer.from(formatMany(entries))), entries)
    t.strictSame(parseRow(Buffer.from('epoch q7w8e9r0t1y2')), [])
    t.strictSame(
      parseRow(Buffer.from('sid 0 1800000900000 s1')).map(({ id }) => id),
      ['s1'],
    )
  },
)
