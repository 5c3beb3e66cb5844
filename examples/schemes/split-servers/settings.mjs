/** The issuer and the audience of the tokens, which both servers know. */
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://shop.example.com'
