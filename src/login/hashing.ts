import type * as Argon2 from '@node-rs/argon2'
import type * as Bcrypt from '@node-rs/bcrypt'

export interface Hashing {
  readonly argon2: typeof Argon2
  readonly bcrypt: typeof Bcrypt
}

let hashing: Promise<Hashing> | undefined

/** Loads the native libraries for password hashes. Programs without a users file never need them. */
export function loadHashing(): Promise<Hashing> {
  hashing ??= Promise.all([import('@node-rs/argon2'), import('@node-rs/bcrypt')]).then(
    ([argon2, bcrypt]) => ({ argon2, bcrypt }),
  )
  return hashing
}
