// Loaded into an instance by `node --import`: when the script that started it is gone, however that came, the
// instance shuts down.
process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
