/** What both servers know: who signs the tokens, and who they are for. */
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://shop.example.com'
