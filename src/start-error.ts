/** An error in the configuration that is found only when the server starts. The message names the setting. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
