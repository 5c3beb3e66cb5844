import t from 'tap'
import { valueAt } from '../../src/login/json-pointer.js'

/** RFC 6901 §5. */
const rfc = {
  foo: ['bar', 'baz'],
  '': 0,
  'a/b': 1,
  'c%d': 2,
  'e^f': 3,
  'g|h': 4,
  'i\\j': 5,
  'k"l': 6,
  ' ': 7,
  'm~n': 8,
}
const examples: [pointer: string, value: unknown][] = [
  ['', rfc],
  ['/foo', ['bar', 'baz']],
  ['/foo/0', 'bar'],
  ['/', 0],
  ['/a~1b', 1],
  ['/c%d', 2],
  ['/e^f', 3],
  ['/g|h', 4],
  ['/i\\j', 5],
  ['/k"l', 6],
  ['/ ', 7],
  ['/m~0n', 8],
]
for (const [pointer, value] of examples) {
  t.test(`RFC 6901 §5: ${JSON.stringify(pointer)}`, async (t) => t.strictSame(valueAt(rfc, pointer), value))
}

t.test('~01 is ~1, not a slash', async (t) => {
  t.equal(valueAt({ 'a~1b': 1, 'a/b': 2 }, '/a~01b'), 1)
})

const nowhere: [document: unknown, pointer: string][] = [
  [rfc, '/nothing'],
  [rfc, '/foo/2'],
  [rfc, '/foo/-'],
  [rfc, '/foo/00'],
  [rfc, '/foo/-1'],
  [rfc, '/foo/0.0'],
  [rfc, '/foo/length'],
  [rfc, '/foo/map'],
  [rfc, '/foo/0/0'],
  [rfc, '/foo/0/length'],
  [rfc, '/m~n/x'],
  [rfc, '/__proto__'],
  [rfc, '/constructor'],
  [rfc, '/constructor/name'],
  [rfc, '/toString'],
  [rfc, '/foo/__proto__'],
  [rfc, '/foo/constructor/name'],
  [null, '/x'],
  ['text', '/length'],
  [7, '/toFixed'],
  [undefined, '/x'],
]
for (const [document, pointer] of nowhere) {
  t.test(`${pointer} finds nothing in ${JSON.stringify(document)}`, async (t) => {
    t.equal(valueAt(document, pointer), undefined)
  })
}

t.test('a member named __proto__ is an ordinary member', async (t) => {
  const document: unknown = JSON.parse('{"__proto__": {"sub": "mallory"}, "a": {"__proto__": 1}}')
  t.equal(valueAt(document, '/sub'), undefined)
  t.equal(valueAt(document, '/__proto__/sub'), 'mallory')
  t.equal(valueAt(document, '/a/__proto__'), 1)
})
