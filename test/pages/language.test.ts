import t from 'tap'
import { chooseLanguage } from '../../src/pages/language.js'

t.test('the query decides, then the preference of the browser, then English', async (t) => {
  const cases: [named: unknown, accepted: string | undefined, expected: string][] = [
    [undefined, undefined, 'en'],
    [undefined, 'fr, de;q=0.5', 'en'],
    [undefined, 'zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN'],
    [undefined, 'en-GB;q=0.5, zh;q=0.9', 'zh-CN'],
    [undefined, 'zh;q=0, en', 'en'],
    [undefined, 'fr, ZH-tw', 'zh-CN'],
    ['en', 'zh', 'en'],
    ['zh-CN', 'en', 'zh-CN'],
    ['"><script>', 'zh', 'zh-CN'],
    [['en', 'zh-CN'], 'zh', 'zh-CN'],
    [undefined, 'x;q=x,'.repeat(2000), 'en'],
  ]
  for (const [named, accepted, expected] of cases)
    t.equal(chooseLanguage(named, accepted), expected, `${String(named)} ${accepted?.slice(0, 40)}`)
})
