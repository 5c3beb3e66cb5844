import { connect } from 'node:net'

/**
 * Whether the Redis on this port of 127.0.0.1 answers a PING: `refused` without a listener (or when it hangs up),
 * `silent` when nothing comes within `timeoutMilliseconds`, `loading` while it reads its data. One that asks for a
 * password is up.
 */
export function ping(
  port: number,
  timeoutMilliseconds = 100,
): Promise<'pong' | 'loading' | 'silent' | 'refused'> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const done = (result: 'pong' | 'loading' | 'silent' | 'refused') => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(timeoutMilliseconds, () => done('silent'))
    socket.on('data', (answer) => done(answer.toString().startsWith('-LOADING') ? 'loading' : 'pong'))
    socket.on('error', () => done('refused'))
    socket.on('close', () => done('refused'))
  })
}
