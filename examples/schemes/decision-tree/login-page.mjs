/**
 * The script logs in by cookies, and opens the page that the browser wanted. Anybody can write a link with a `next`, so
 * the script opens only pages of its own origin. It lets the browser resolve `next`, because a path can lead elsewhere:
 * a browser ignores a tab, and reads a backslash as a slash, so each of them can turn a path into another host.
 */
export const LOGIN_PAGE = String.raw`<!doctype html>
<title>Log in</title>
<form>
  <input name="username" autocomplete="username" required>
  <input name="password" type="password" autocomplete="current-password" required>
  <button>Log in</button> <output></output>
</form>
<script>
  const form = document.querySelector('form')
  form.onsubmit = async (event) => {
    event.preventDefault()
    const { username, password } = Object.fromEntries(new FormData(form))
    const response = await fetch('/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ username, password, cookies: true }),
    })
    if (!response.ok) return (form.querySelector('output').value = (await response.json()).title)
    const next = new URL(new URLSearchParams(location.search).get('next') ?? '/reports', location.href)
    location.replace(next.href.startsWith(location.origin + '/') ? next.href : '/reports')
  }
</script>
`
