import { Type } from 'typebox'
import { bound, choice, leaf } from './leaf.js'

/** `login.http`: the requests with which a legacy API verifies credentials, and says what a user may do now. */
export const LoginHttpSchema = Type.Object({
  url: leaf('httpUrl', { description: 'URL to which each login is sent by POST' }),
  body: choice(['json', 'form'], { description: 'format of the request body', default: 'json' }),
  username: leaf('text', { description: 'body field for the username', default: 'username', maximum: 128 }),
  password: leaf('text', { description: 'body field for the password', default: 'password', maximum: 128 }),
  subject: leaf('pointer', {
    description: 'JSON pointer to the sub claim in the response, such as /data/user/id',
  }),
  claims: leaf('pointers', {
    description: 'more claims, each with a JSON pointer into the response, such as { role: /data/user/role }',
    default: {},
  }),
  refresh: Type.Optional(
    leaf('httpUrl', {
      description:
        'URL to which each refresh sends sub and sid by POST; the response has the claims as they are now',
    }),
  ),
  timeout: bound({ description: 'maximum time until the response', default: '5s', maximum: 60_000 }),
})
