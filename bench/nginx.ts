/** Starts nginx with a generated configuration. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../test/support/redis.js'
import { findProgram } from './programs.js'
import type { Server, Servers } from './processes.js'

/** Directives that keep the connections to an upstream server open. */
export const KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'

/** Returns `host:port` of a URL, the format of an `upstream` block. */
export const hostOf = (url: string) => new URL(url).host

export async function startNginx(
  { program }: Servers,
  directory: string,
  { http = '', locations }: { http?: string; locations: string },
): Promise<Server> {
  const port = await freePort()
  const prefix = join(directory, `nginx-${port}`)
  await mkdir(prefix)
  // If nginx is started by root, its workers run as nobody by default, and couldn't read the directory.
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${prefix}/${name};`)
    .join(' ')
  const config = `
    daemon off; worker_processes 1; pid ${prefix}/pid; error_log stderr; ${user}
    events { worker_connections 1024; }
    http {
      access_log off; ${temporary}
      keepalive_requests 1000000000;
      ${http}
      server { listen 127.0.0.1:${port}; ${locations} }
    }`
  await writeFile(join(prefix, 'nginx.conf'), config)
  const argv = [findProgram('nginx') ?? 'nginx', '-e', 'stderr', '-p', prefix, '-c', `${prefix}/nginx.conf`]
  return program(argv, `http://127.0.0.1:${port}`)
}
