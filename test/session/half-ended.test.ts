import t from 'tap'
import { halfEndedContract } from './half-ended.contract.js'
import { embedded } from '../support/sessions.js'

halfEndedContract(t, async () => {
  const rig = embedded({ reuseGrace: 0 })
  return [rig, rig]
})
