import t from 'tap'
import { hashingSlots } from '../../src/login/users-file.js'

t.test('all processes together leave a core free for verification, and each can hash', async (t) => {
  t.equal(hashingSlots(1, 8), 7)
  t.equal(hashingSlots(1, 1), 1)
  t.equal(hashingSlots(2, 8), 3)
  t.equal(hashingSlots(4, 16), 3)
  for (const cores of [2, 4, 7, 64]) {
    for (let processes = 1; processes < cores; processes++) {
      t.ok(processes * hashingSlots(processes, cores) < cores, `${processes} on ${cores}`)
    }
  }
  t.equal(hashingSlots(16, 4), 1)
})
