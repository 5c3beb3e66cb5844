import t from 'tap'
import { ALGORITHMS } from '../../src/token/algorithms.js'
import { decode } from '../support/access-tokens.js'
import { generateTokenContract, startGenerateToken } from './generate-token.contract.js'

generateTokenContract(t, async () => 'memory')

t.test('generateToken signs with each of the thirteen algorithms', async (t) => {
  t.equal(ALGORITHMS.length, 13)
  for (const algorithm of ALGORITHMS) {
    const { open } = await startGenerateToken(t, 'memory', algorithm)
    const phone = open('android')
    t.equal((await phone.login('ada@example.com', 'demo-ada-1843')).status, 200, algorithm)
    const [header] = phone.tokens.access_token.split('.')
    t.match(decode(header), { alg: algorithm, typ: 'at+jwt' })
    t.match(await phone.get('/me'), { status: 200, body: { id: 7 } }, algorithm)
    t.equal((await phone.refresh()).status, 200, algorithm)
    t.equal((await phone.get('/me')).status, 200, algorithm)
  }
})
