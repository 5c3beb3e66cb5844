/** Loaded into a gateway by `node --import`: ends it when the driver that started it is gone, by a crash as well. */
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
