import type { Islands } from '../src/app/core.js'
import { createJwt, createSigner, createVerifier } from './jwt.js'
import { addressKey } from './client-address.js'
import { createCounter } from './rate-limit-counter.js'

/** The Fastify plugins that the core uses, each on a Fastify instance of its own (docs/adr/0004). */
export const islands: Islands = { createJwt, createVerifier, createSigner, createCounter, addressKey }
