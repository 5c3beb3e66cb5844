/** The axios client of the blog. `npm install axios` in an application of your own. */
import axios from 'axios'
import { runClient } from '../run.mjs'

/**
 * @param {string} baseURL
 * @param {Map<string, string>} storage In a browser, the same with `localStorage.getItem` and so on.
 */
export function createApi(baseURL, storage = new Map()) {
  const api = axios.create({ baseURL })

  const keep = ({ token, refreshToken }) => storage.set('token', token).set('refreshToken', refreshToken)

  api.interceptors.request.use((config) => {
    const token = storage.get('token')
    if (token) config.headers.Authorization = `Bearer ${token}`
    return config
  })

  api.interceptors.response.use(undefined, async (error) => {
    const { config, response } = error
    const canRetry = response?.status === 401 && !config.isRetry && storage.has('refreshToken')
    if (!canRetry || config.url === '/user/signin') throw error
    config.isRetry = true
    try {
      // Not through `api`, or a 401 here would call this interceptor again.
      const { data } = await axios.post(`${baseURL}/user/refresh`, {
        refreshToken: storage.get('refreshToken'),
      })
      keep(data)
    } catch (refreshError) {
      if (refreshError.response?.status === 401) storage.clear()
      throw refreshError
    }
    return api(config)
  })

  return {
    api,
    async signIn(username, password) {
      const { data } = await api.post('/user/signin', { username, password })
      keep(data)
      return data
    },
    async logOut() {
      await api.get('/user/logout')
      storage.clear()
    },
  }
}

async function steps(baseURL = 'http://127.0.0.1:3000') {
  const { api, signIn, logOut } = createApi(baseURL)
  const show = (name, { status, data }) => console.log(name, status, JSON.stringify(data))
  show('GET /post', await api.get('/post'))
  show('GET /post/all', await api.get('/post/all').catch(({ response }) => response))
  const { token } = await signIn('ada', 'gate-keeper-1843')
  show('GET /post/all, signed in', await api.get('/post/all'))
  show('POST /post', await api.post('/post', { title: 'How to paint a drawbridge' }))
  show('The same, token in the query', await axios.get(`${baseURL}/post/all?access_token=${token}`))
  await logOut()
  const headers = { 'x-access-token': token }
  show(
    'After the logout',
    await axios.get(`${baseURL}/post/all`, { headers }).catch(({ response }) => response),
  )
}

await runClient(import.meta.url, steps)
