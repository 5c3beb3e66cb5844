/** Small drawings of the gate, which stand beside a word: raised for what is alive, lowered for what has ended. */
import { html } from './html.js'
import type { Html } from './html.js'

const FRAME = 'M2.5 19V5q0-3 3-3h9q3 0 3 3v14M2.5 5.5h15'

/** The drawings, to which `gatelet` refers. Each page that uses them has them once. */
export const GATELETS = html`<svg hidden>
  <symbol id="up" viewBox="0 0 20 20"><path d="${FRAME}M6.25 2v6.5M10 2v6.5M13.75 2v6.5" /></symbol>
  <symbol id="half" viewBox="0 0 20 20"><path d="${FRAME}M2.5 10h15M6.25 2v11M10 2v11M13.75 2v11" /></symbol>
  <symbol id="down" viewBox="0 0 20 20">
    <path d="${FRAME}M2.5 10h15M2.5 14.5h15M6.25 2v17M10 2v17M13.75 2v17" />
  </symbol>
</svg>`

export function gatelet(state: 'up' | 'half' | 'down'): Html {
  return html`<svg class="gatelet is-${state}" aria-hidden="true"><use href="#${state}" /></svg>`
}
