/** A mini-programme: requests with callbacks, and a login page for those that can't be repaired. */
import { runClient } from '../run.mjs'

/** The methods of `wx` that the client uses. A mini-programme provides `wx` itself. */
export function createWx() {
  const storage = new Map()
  return {
    getStorageSync: (key) => storage.get(key) ?? '',
    setStorageSync: (key, value) => void storage.set(key, value),
    removeStorageSync: (key) => void storage.delete(key),
    reLaunch: ({ url }) => console.log('the mini-programme opens', url),
    /** Calls `success` for every response, whatever its status. */
    request({ url, method = 'GET', data = {}, header = {}, success, fail, complete }) {
      const isGet = method === 'GET'
      const target = isGet ? `${url}?${new URLSearchParams(data)}` : url
      const options = isGet ? {} : { method, body: JSON.stringify(data) }
      fetch(target, { ...options, headers: { 'content-type': 'application/json', ...header } })
        .then(async (response) => ({ statusCode: response.status, data: await response.json() }))
        .then(success, (error) => fail?.({ errMsg: `request:fail ${error.message}` }))
        .finally(complete)
    },
  }
}

/** The file of the mini-programme through which all its requests go. Its options are those of `wx.request`. */
export function createRequest(wx, server) {
  /** Callbacks of requests that wait for the same refresh. */
  let waiting

  const keep = ({ access_token, refresh_token }) => {
    wx.setStorageSync('access_token', access_token)
    wx.setStorageSync('refresh_token', refresh_token)
  }

  const send = (options, success) => {
    const token = wx.getStorageSync('access_token')
    const header = token === '' ? options.header : { ...options.header, authorization: `Bearer ${token}` }
    wx.request({
      ...options,
      url: server + options.url,
      header,
      success: (response) => success(response, token),
    })
  }

  /** Calls `done(true)` when there are new tokens. */
  const refresh = (done) => {
    if (waiting) return waiting.push(done)
    waiting = [done]
    const finish = (isRefreshed) => {
      const callbacks = waiting
      waiting = undefined
      for (const callback of callbacks) callback(isRefreshed)
    }
    wx.request({
      url: `${server}/refresh`,
      data: { refresh_token: wx.getStorageSync('refresh_token') },
      success({ statusCode, data }) {
        if (statusCode === 200) keep(data.data)
        // Only these are final. After a 429 or 503, the same token can be sent again.
        if (statusCode === 401 || statusCode === 400) {
          wx.removeStorageSync('access_token')
          wx.removeStorageSync('refresh_token')
          wx.reLaunch({ url: '/pages/login/login' })
        }
        finish(statusCode === 200)
      },
      fail: () => finish(false),
    })
  }

  const request = (options) =>
    send(options, (response, token) => {
      if (response.statusCode !== 401) return options.success?.(response)
      const again = (isPossible) =>
        isPossible ? send(options, options.success) : options.success?.(response)
      // Another request may have refreshed the tokens since this one was sent.
      if (token !== wx.getStorageSync('access_token')) return again(true)
      refresh(again)
    })

  const login = ({ data, success, fail }) =>
    wx.request({
      url: `${server}/login`,
      method: 'POST',
      data,
      success(response) {
        if (response.statusCode === 200) keep(response.data.data)
        success?.(response)
      },
      fail,
    })

  const logout = ({ success, fail }) =>
    send(
      { url: '/logout', method: 'POST', data: { refresh_token: wx.getStorageSync('refresh_token') }, fail },
      success,
    )

  return { request, login, logout }
}

await runClient(import.meta.url, async (server = 'http://127.0.0.1:3000') => {
  const wx = createWx()
  const { request, login, logout } = createRequest(wx, server)
  /** Calls a function with callbacks, and prints the envelope. */
  const print = (name, call, options = {}) =>
    new Promise((resolve, reject) => {
      const success = ({ data }) => resolve(console.log(name, data))
      call({ ...options, success, fail: ({ errMsg }) => reject(new Error(errMsg)) })
    })

  await print('login', login, { data: { username: 'ada', password: 'demo-ada-1843' } })
  await print('user', request, { url: '/user' })
  wx.removeStorageSync('access_token')
  await print('user, after a refresh', request, { url: '/user' })
  await print('logout', logout)
  await print('user', request, { url: '/user' })
})
