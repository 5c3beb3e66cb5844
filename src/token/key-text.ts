/** The spellings in which a key arrives: environment files, YAML, base64 in a secret store, JWK Sets. */

/** A PEM block (RFC 7468). Text around it, such as the bag attributes of a PKCS #12 export, is ignored. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----([^]*?)-----END \1-----/g
/** The base64 of `-----BEGIN`, and of `{"`. */
const BASE64_START = /^(?:LS0tLS1CRUdJTi|eyJ|eyAi|ewog)/

/** Returns true if the text looks like a key instead of the path of a file. */
export function isKeyText(text: string): boolean {
  return text.startsWith('{') || text.includes('-----BEGIN') || BASE64_START.test(text)
}

/**
 * Returns a PEM or a JWK in the usual form. Undoes base64, quotes, `\n` written out, indentation, and folding into one
 * line. Returns other text as it is.
 */
export function normaliseKeyText(text: string): string {
  const bare = undoEncoding(text)
  if (!bare.includes('-----BEGIN')) return bare
  const blocks = findBlocks(bare)
  // `openssl ecparam -genkey` writes EC PARAMETERS first.
  const block = blocks.find(([, label = '']) => label.endsWith('PRIVATE KEY')) ?? blocks[0]
  if (block === undefined) return bare
  const [whole, label = '', body = ''] = block
  // A colon belongs to a header line, such as `Proc-Type` of an encrypted key.
  if (body.includes(':')) return whole
  const lines = body.replaceAll(/\s/g, '').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** Returns the labels of all PEM blocks, such as `PUBLIC KEY`. Other text has none. */
export function findPemLabels(text: string): string[] {
  return findBlocks(undoEncoding(text)).map(([, label = '']) => label)
}

function findBlocks(bare: string): RegExpExecArray[] {
  return [...bare.replaceAll('\\r', '').replaceAll('\\n', '\n').matchAll(BLOCK)]
}

function undoEncoding(text: string): string {
  return unquote(decodeBase64(unquote(text.trim())))
}

function unquote(text: string): string {
  return /^(['"])([^]*)\1$/.exec(text)?.[2] ?? text
}

function decodeBase64(text: string): string {
  if (!BASE64_START.test(text) || !/^[\w+/\s-]+=*\s*$/.test(text)) return text
  return Buffer.from(text, 'base64').toString('utf8').trim()
}
