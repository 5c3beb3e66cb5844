// The login page works without this script. It adds: show the password, a sign that the login runs, the rest of a wait.
;(() => {
  const { texts } = JSON.parse(document.body.dataset.page)
  const byId = (id) => document.getElementById(id)
  const [form, show, password, submit, busy] = ['login', 'show', 'password', 'submit', 'busy'].map(byId)

  show.hidden = false
  show.addEventListener('click', () => {
    const isShown = password.type === 'password'
    password.type = isShown ? 'text' : 'password'
    show.textContent = texts[isShown ? 'login.hide' : 'login.show']
    show.setAttribute('aria-label', texts[isShown ? 'login.hide.name' : 'login.show.name'])
  })

  function setBusy(isBusy) {
    submit.setAttribute('aria-disabled', String(isBusy))
    submit.textContent = texts[isBusy ? 'login.busy' : 'login.submit']
    busy.hidden = !isBusy
  }

  form.addEventListener('submit', (event) => {
    if (submit.getAttribute('aria-disabled') === 'true') return event.preventDefault()
    // Password managers keep only what was in a password field.
    password.type = 'password'
    setBusy(true)
  })
  // The browser may show the page again as it was left.
  addEventListener('pageshow', ({ persisted }) => persisted && setBusy(false))

  const notice = byId('notice')
  const username = byId('username')
  const isError = notice?.getAttribute('role') === 'alert'
  if (form.querySelector('[aria-invalid]')) (username.value === '' ? username : password).focus()
  else if (!isError) username.focus()

  if (notice?.dataset.wait) countDown(Date.now() + Number(notice.dataset.wait) * 1000)

  function countDown(end) {
    // Announced when it begins and when it is over, and not every second.
    notice.setAttribute('aria-live', 'off')
    submit.setAttribute('aria-disabled', 'true')
    submit.setAttribute('aria-describedby', 'notice')
    const text = notice.querySelector('span')
    const timer = setInterval(() => {
      const left = Math.ceil((end - Date.now()) / 1000)
      if (left > 0) {
        text.textContent = texts['login.limited.more'].replace('{wait}', formatWait(left))
        return
      }
      clearInterval(timer)
      notice.removeAttribute('aria-live')
      notice.className = 'notice'
      notice.querySelector('strong').textContent = texts['login.limited.over']
      text.textContent = ''
      submit.removeAttribute('aria-disabled')
      submit.removeAttribute('aria-describedby')
    }, 1000)
  }

  function formatWait(seconds) {
    const [minute, second] = document.documentElement.lang === 'en' ? ['min', 's'] : ['分', '秒']
    const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60]
    return [minutes && `${minutes} ${minute}`, (rest || !minutes) && `${rest} ${second}`]
      .filter(Boolean)
      .join(' ')
  }

  // A session whose access token has expired goes on by itself, unless it has just been tried.
  const resume = byId('continue')
  const KEY = 'portcullis-continued'
  try {
    if (resume && Date.now() - Number(sessionStorage.getItem(KEY)) > 10_000) {
      sessionStorage.setItem(KEY, String(Date.now()))
      resume.requestSubmit()
    }
  } catch {
    // Without storage, the button remains.
  }
})()
