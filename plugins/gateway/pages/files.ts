import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { StartError } from '../../../src/start-error.js'
import type { PagesSettings } from './pages-context.js'

/** The folder of the package with the stylesheets, scripts and images. */
const FOLDER = new URL('../../../../web/pages/', import.meta.url)

/** The files that make up each file that browsers load. */
const OWN_FILES: Readonly<Record<string, readonly string[]>> = {
  'pages.css': ['base.css', 'gate.css', 'controls.css', 'frame.css', 'account.css', 'media.css'],
  'login.js': ['login.js'],
  'account.js': ['account.js'],
  'mark.svg': ['mark.svg'],
}

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
}

/** A file that a page loads. */
export interface PageFile {
  /** The last segment of its URL. */
  readonly name: string
  readonly type: string
  readonly body: Buffer
}

/**
 * Reads the files that the pages load, with the logo and the stylesheet of the operator.
 *
 * @throws {StartError} if a file of the operator can't be read or used
 */
export async function readPageFiles({ logo, stylesheet }: PagesSettings): Promise<readonly PageFile[]> {
  const own = Object.entries(OWN_FILES).map(async ([name, parts]): Promise<PageFile> => {
    const bodies = await Promise.all(parts.map((part) => readFile(new URL(part, FOLDER))))
    return { name, type: TYPES[extname(name)]!, body: Buffer.concat(bodies) }
  })
  const files = await Promise.all(own)
  if (stylesheet !== undefined)
    files.push({ name: 'site.css', type: TYPES['.css']!, body: await read('pages.stylesheet', stylesheet) })
  if (logo !== undefined) {
    const type = TYPES[extname(logo).toLowerCase()]
    if (!type?.startsWith('image/'))
      throw new StartError(
        `pages.logo: ${JSON.stringify(logo)} is no image; use a file that ends with .svg, .png, .jpg, .webp or .gif`,
      )
    files.push({ name: 'logo', type, body: await read('pages.logo', logo) })
  }
  return files
}

async function read(setting: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new StartError(`${setting}: ${JSON.stringify(path)} can’t be read (${(error as Error).message})`)
  }
}

/** Adds one route per file. Browsers keep a file, and ask each time whether it is still current. */
export function fileRoutes(app: FastifyInstance, files: readonly PageFile[]): void {
  for (const { name, type, body } of files) {
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
    app.get(`/${name}`, (request, reply) => {
      reply.headers({ 'cache-control': 'no-cache', etag })
      const known = request.headers['if-none-match']?.split(/\s*,\s*/).map((tag) => tag.replace(/^W\//, ''))
      if (known?.includes(etag)) return reply.code(304).send()
      return reply.type(type).send(body)
    })
  }
}
