import t from 'tap'
import { endOutdatedContract } from './end-outdated.contract.js'
import { embedded } from '../support/sessions.js'

endOutdatedContract(t, async () => {
  const rig = embedded()
  return [rig, rig]
})
