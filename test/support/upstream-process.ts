/** An upstream that is a process of its own, so that it can be killed, stopped and started again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'

/** Ends when the test's process does. Answers with its name; `/half` begins an answer, `/hang` never does. */
const CODE = `
process.stdin.on('end', () => process.exit()).resume()
const [name, port] = process.argv.slice(1)
const seen = []
require('http').createServer((request, response) => {
  if (request.url === '/seen') return response.end(JSON.stringify(seen))
  let body = ''
  request.on('data', (chunk) => (body += chunk))
  request.on('end', () => {
    seen.push(request.method + ' ' + request.url + ' ' + body)
    response.setHeader('x-name', name)
    if (request.url === '/half') response.writeHead(200, { 'content-length': 100 }).write('half')
    else if (request.url === '/half-chunked') response.writeHead(200).write('half')
    else if (request.url !== '/hang') response.end(name + body)
  })
}).listen(Number(port), '127.0.0.1', function () { console.log(this.address().port) })
`

export interface UpstreamProcess {
  readonly origin: string
  readonly port: number
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  /** Kills it, and waits until it is gone. */
  kill(): Promise<void>
  /** What it was asked: method, target, and body. */
  seen(): Promise<string[]>
}

/** @param port Of one that was killed; 0 = a free one. */
export async function upstreamProcess(t: Test, name: string, port = 0): Promise<UpstreamProcess> {
  const child = spawn(process.execPath, ['-e', CODE, name, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const kill = async () => {
    child.kill('SIGKILL')
    await exited
  }
  t.teardown(kill)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const origin = `http://127.0.0.1:${Number(line.toString())}`
  return {
    origin,
    port: Number(line.toString()),
    signal: (signal) => child.kill(signal),
    kill,
    seen: async () => (await (await fetch(`${origin}/seen`)).json()) as string[],
  }
}
