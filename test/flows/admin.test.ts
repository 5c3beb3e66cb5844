import t from 'tap'
import { testAdmin } from './admin.contract.js'

await testAdmin(t, () => ({ store: 'memory' }))
