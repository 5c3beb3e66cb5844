import { Type } from 'typebox'
import { bound, choice, leaf } from './leaf.js'

/** How a legacy API is asked who may log in. */
export const LoginHttpSchema = Type.Object({
  url: leaf('httpUrl', { description: 'where the legacy API takes logins, by POST' }),
  body: choice(['json', 'form'], { description: 'how it is sent the two fields', default: 'json' }),
  username: leaf('text', { description: 'the field for the name', default: 'username', maximum: 128 }),
  password: leaf('text', { description: 'the field for the password', default: 'password', maximum: 128 }),
  subject: leaf('pointer', {
    description: 'JSON pointer into its answer to what becomes sub, such as /data/user/id',
  }),
  claims: leaf('pointers', {
    description:
      'claims of the access token, and the JSON pointer to each, such as { role: /data/user/role }',
    default: {},
  }),
  timeout: bound({ description: 'until it has answered', default: '5s', maximum: 60_000 }),
})
