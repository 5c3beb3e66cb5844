import t from 'tap'
import { countedName } from '../../src/login/counted-name.js'

t.test('spellings that some database takes for equal are counted together', async (t) => {
  const families = [
    ['jose', 'José', ' JOSÉ ', 'jose\u0301', 'ｊｏｓｅ', 'jo\u200bse', 'j\u00adose', 'jõşè', 'jøse\u0000'],
    ['strasse', 'straße', 'STRASSE', 'STRAẞE', 'strase'],
    ['ægir', 'AEGIR', 'aegir'],
    ['łukasz', 'Lukasz', 'lukasz'],
    ['ΣΟΦΟΣ', 'σοφος', 'σοφοσ', 'σοφός'],
    ['İpek', 'ipek', 'ıpek', 'IPEK'],
  ]
  for (const [first = '', ...others] of families) {
    for (const other of others) t.equal(countedName(other), countedName(first), JSON.stringify(other))
  }
})

t.test('other names have counts of their own', async (t) => {
  const names = ['ada', 'adam', 'bob', 'john.doe', 'johndoe', 'a b', 'ab', '李', '王', 'ada@example.com']
  t.equal(new Set(names.map(countedName)).size, names.length)
})
