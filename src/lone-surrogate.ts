/**
 * Returns true if a text has a lone surrogate. Such a text has no UTF-8 form: in Redis, and in every other place outside
 * this process, it becomes U+FFFD, and so another text. As an id it would name another subject or session.
 */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text)
}
