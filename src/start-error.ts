/** Something in the configuration that only shows when the server starts; the message names the setting. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
