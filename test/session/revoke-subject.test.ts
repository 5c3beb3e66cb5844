import t from 'tap'
import { revokeSubjectContract } from './revoke-subject.contract.js'
import { embedded } from '../support/sessions.js'

revokeSubjectContract(t, async () => {
  const rig = embedded()
  return { ...rig, advance: async (milliseconds) => rig.clock.advance(milliseconds) }
})
