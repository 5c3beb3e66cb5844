/** Returns the path of a request target for the log. The query, and credentials in an absolute URL, may be secret. */
export function loggablePath(target: string): string {
  return target.replace(/[?#][^]*$/, '').replace(/\/\/[^/]*@/, '//…@')
}
