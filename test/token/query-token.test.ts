import t from 'tap'
import { queryTokens, withoutQueryTokens } from '../../src/token/query-token.js'

const targets: [target: string, without: string][] = [
  ['/x', '/x'],
  ['/x?', '/x?'],
  ['/x?a=%2f&b', '/x?a=%2f&b'],
  ['/x?access_token=t', '/x'],
  ['/x?access_token', '/x'],
  ['/x?access_token=t&a=1', '/x?a=1'],
  ['/x?a=1&access_token=t', '/x?a=1'],
  ['/x?a=%zz&access_token=t&b==&&c', '/x?a=%zz&b==&&c'],
  ['/x?access_token=t&', '/x?'],
  ['/x?access_token=t&access_token=u&a', '/x?a'],
  ['/x?%61ccess%5ftoken=t&a', '/x?a'],
  ['/x?access_token=a=b?c&d', '/x?d'],
  ['/x?my_access_token=t&access_tokens=u', '/x?my_access_token=t&access_tokens=u'],
  ['/access_token=t?a=1', '/access_token=t?a=1'],
]
for (const [target, without] of targets) {
  t.test(`${target} becomes ${without}`, async (t) => {
    t.equal(withoutQueryTokens(target), without)
    t.strictSame(queryTokens(without), [], 'what is left holds no token')
  })
}

t.test('a long query takes linear time', async (t) => {
  const target = `/x?${'a%61=1&'.repeat(20_000)}access_token=t`
  const begin = performance.now()
  t.strictSame(queryTokens(target), ['t'])
  t.notMatch(withoutQueryTokens(target), /access_token/)
  t.ok(performance.now() - begin < 1_000)
})
