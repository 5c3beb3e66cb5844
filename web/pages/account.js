// The account page works without this script. It adds: ends without a reload, changes as they happen, local times.
;(() => {
  const { sid: own, api, exchange, language, texts } = JSON.parse(document.body.dataset.page)
  const byId = (id) => document.getElementById(id)
  const text = (key, values = {}) => texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name])
  const formatTime = (date, options) =>
    new Intl.DateTimeFormat(language === 'en' ? undefined : language, options).format(date)

  for (const time of document.querySelectorAll('time[datetime]'))
    time.textContent = formatTime(new Date(time.dateTime), { dateStyle: 'medium', timeStyle: 'short' })
  // The page that says that nothing is known.
  if (own === undefined) return

  let hasFallen = false
  /** Replaces the page by the message that its own session has ended. */
  function fall(reason, at = new Date()) {
    if (hasFallen) return
    hasFallen = true
    byId('while-live').remove()
    for (const element of document.querySelectorAll('[data-while-live]')) element.remove()
    byId('fallen-reason').textContent = reason
    byId('fallen-time').dateTime = at.toISOString()
    byId('fallen-time').textContent = formatTime(at, { timeStyle: 'medium' })
    byId('fallen').hidden = false
    document.body.classList.add('has-fallen')
    document.title = document.title.replace(/^[^·]+/, `${text('over.title')} `)
    byId('fallen-title').focus()
  }

  const REFUSALS = {
    // Another tab has deleted the cookies.
    refresh_token_missing: 'over.by.logout',
    credentials_missing: 'over.by.logout',
    refresh_token_reused: 'over.by.reuse',
    refresh_token_expired: 'over.by.expiry',
    refresh_limit_reached: 'over.by.expiry',
    reauthentication_required: 'over.by.expiry',
    signed_in_elsewhere: 'login.after.elsewhere',
  }

  /** Sends a request. Exchanges the tokens once if the access token has expired. A 401 then ends the page. */
  async function send(method, path, body) {
    const request = () =>
      fetch(`${api}/${path}`, {
        method,
        ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
    const first = await request()
    if (first.status !== 401) return first
    const exchanged = await renew()
    return exchanged.ok ? request() : exchanged
  }

  /** Exchanges the tokens. A definitive refusal ends the page. */
  async function renew() {
    const response = await fetch(`${api}/${exchange}`, { method: 'POST' })
    if (response.status === 400 || response.status === 401) {
      const { code } = await response.clone().json()
      if (REFUSALS[code] || response.status === 401) tell('fall', REFUSALS[code] ?? 'over.by.unknown')
    }
    return response
  }

  const rows = () => [...document.querySelectorAll('#list .session:not(.is-over)')]
  /** The sessions that this page is ending. */
  const ending = new Set()

  function setState(row, state, isBad = false) {
    const element = row.querySelector('.state')
    element.classList.toggle('is-bad', isBad)
    element.textContent = state
  }

  function showEnded(row, state) {
    const hadFocus = row.contains(document.activeElement)
    row.classList.add('is-over')
    row.querySelector('.gatelet use').setAttribute('href', '#down')
    row.querySelector('form')?.remove()
    setState(row, state)
    if (rows().length === 0) byId('all').hidden = true
    if (hadFocus) byId('others').focus()
  }

  function showUnsure(row, response) {
    const button = row.querySelector('button')
    if (!button) return
    button.removeAttribute('aria-disabled')
    button.textContent = text('account.retry')
    button.setAttribute(
      'aria-label',
      text('account.retry.name', { device: row.querySelector('h3').textContent }),
    )
    const wait =
      response?.status === 429 && `${response.headers.get('retry-after')} ${language === 'en' ? 's' : '秒'}`
    setState(row, wait ? text('account.limited', { wait }) : text('account.unsure'), true)
  }

  /** Ends the sessions of some rows by one request. Resolves to true if that is confirmed. */
  async function end(ended, request) {
    for (const row of ended) {
      ending.add(row.dataset.sid)
      row.querySelector('button')?.setAttribute('aria-disabled', 'true')
      setState(row, text('account.ending'))
    }
    const response = await request().catch(() => undefined)
    // The user has logged in as somebody else in another tab, or the session has expired.
    if (response?.status === 404) location.reload()
    for (const row of ended) {
      if (response?.ok) showEnded(row, text('account.ended'))
      else showUnsure(row, response)
      ending.delete(row.dataset.sid)
    }
    return response?.ok
  }

  byId('list')?.addEventListener('submit', (event) => {
    event.preventDefault()
    const row = event.target.closest('.session')
    if (ending.has(row.dataset.sid)) return
    void end([row], () => send('DELETE', `sessions/${encodeURIComponent(row.dataset.sid)}`))
  })
  byId('all')?.addEventListener('submit', async (event) => {
    event.preventDefault()
    const ended = rows()
    byId('all').open = false
    if (!(await end(ended, () => send('POST', 'logout', { all: true, keepCurrent: true })))) return
    byId('all-done').textContent = text(ended.length === 1 ? 'account.all.done.one' : 'account.all.done', {
      n: ended.length,
    })
    byId('all-done').hidden = false
  })

  const live = byId('live')
  function showLive(isLive) {
    if (live.hidden !== true && live.classList.contains('is-lost') === !isLive) return
    live.hidden = false
    live.classList.toggle('is-lost', !isLive)
    const time = formatTime(new Date(), { timeStyle: 'medium' })
    live.textContent = isLive ? text('account.live') : text('account.live.lost', { time })
  }

  function describeEnd({ reason, by }) {
    if (reason === 'logout' && by)
      return by.sid === own ? text('over.by.logout') : text('over.by.other', { device: by.device })
    const key = { reuse: 'over.by.reuse', revoked: 'over.by.operator', evicted: 'login.after.elsewhere' }[
      reason
    ]
    return text(key ?? 'over.by.unknown')
  }

  function onEnded(change) {
    if (change.sid === own)
      return fall(describeEnd(change), change.by ? new Date(change.by.at * 1000) : undefined)
    const row = rows().find(({ dataset }) => dataset.sid === change.sid)
    if (row && !ending.has(change.sid)) showEnded(row, text('account.ended.elsewhere'))
  }

  // One tab of the browser has the stream, and tells the others. Over HTTP/1.1, a browser opens six connections per
  // host, so a stream in each of six tabs would stop everything else.
  const channel = new BroadcastChannel(`portcullis-${own}`)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has no target, and one origin
  const post = (kind, value) => channel.postMessage([kind, value])
  let isStreaming = false
  const effects = {
    ended: onEnded,
    started: () => location.reload(),
    live: (isLive) => {
      if (hasFallen) return
      showLive(isLive)
      if (isLive) compareQuietly()
    },
    fall: (key) => fall(text(key)),
    hello: () => isStreaming && post('live', true),
  }
  channel.addEventListener('message', ({ data: [kind, value] }) => effects[kind](value))
  function tell(kind, value) {
    post(kind, value)
    effects[kind](value)
  }

  /**
   * Compares the list with that of the server. Changes can be missed while no stream is open, and other instances of the
   * server don’t send theirs.
   */
  async function compare() {
    if (hasFallen) return
    const response = await fetch(`${api}/sessions?limit=500`)
    if (!response.ok || hasFallen) return
    const { sessions } = await response.json()
    const sids = new Set(sessions.map(({ sid }) => sid))
    for (const row of rows())
      if (!sids.has(row.dataset.sid) && !ending.has(row.dataset.sid))
        showEnded(row, text('account.ended.elsewhere'))
    const known = new Set([...document.querySelectorAll('.session')].map(({ dataset }) => dataset.sid))
    // A new row needs the server’s words for its device.
    if (sessions.some(({ sid }) => !known.has(sid))) location.reload()
  }
  const compareQuietly = () => void compare().catch(() => {})
  setInterval(compareQuietly, 30_000)
  document.addEventListener('visibilitychange', () => document.hidden || compareQuietly())

  /** Opens the stream of changes, and opens it again whenever it has ended. */
  function listen() {
    const source = new EventSource(`${api}/session/events?lang=${language}`)
    let lost
    const stop = () => {
      clearTimeout(lost)
      source.close()
    }
    source.addEventListener('open', () => {
      clearTimeout(lost)
      lost = undefined
      isStreaming = true
      tell('live', true)
    })
    source.addEventListener('session_ended', ({ data }) => {
      tell('ended', JSON.parse(data))
      if (hasFallen) stop()
    })
    source.addEventListener('session_started', () => tell('started'))
    const loseLater = () => {
      lost ??= setTimeout(() => {
        isStreaming = false
        tell('live', false)
      }, 4000)
    }
    async function reopen() {
      source.close()
      // Alone, the end of a stream is no reason to worry anybody.
      loseLater()
      const response = await renew().catch(() => undefined)
      const again = () => {
        stop()
        if (!hasFallen) listen()
      }
      setTimeout(again, response?.ok ? 0 : 3000)
    }
    source.addEventListener('token_expired', reopen)
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) return reopen()
      loseLater()
    })
    addEventListener('pagehide', stop, { once: true })
  }
  post('hello')
  // The lock is released when the tab closes. Without https there are no locks, except on localhost.
  if (navigator.locks) void navigator.locks.request(`portcullis-${own}`, () => new Promise(listen))
  else listen()
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
})()
