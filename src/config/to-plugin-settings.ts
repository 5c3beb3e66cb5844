import type { PluginSettings, Settings } from './settings.js'

/** Returns the settings of the core in a gateway, which no host application uses. */
export function toPluginSettings(settings: Settings): PluginSettings {
  return {
    ...settings,
    refusals: 'answer',
    decorators: { authenticate: false, authorize: false, auth: false },
  }
}
