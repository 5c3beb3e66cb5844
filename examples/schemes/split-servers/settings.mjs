/** What both servers know: who signs the tokens, who they are for, and how long an access token lives. */
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://shop.example.com'
export const ACCESS_LIFE = '30m'
