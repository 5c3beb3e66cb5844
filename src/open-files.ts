/** The report of this process, as far as it is read here. On Windows it has no limits. */
interface ProcessReport {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } }
}

/**
 * Returns how many files and sockets this process may have open, or `Infinity` if there is no limit. Takes about 25 ms.
 */
export function readOpenFilesLimit(): number {
  // Missing in the types. Without it, the report would look up the names of all peers.
  const report = process.report as typeof process.report & { excludeNetwork?: boolean }
  const { excludeNetwork } = report
  report.excludeNetwork = true
  const { userLimits } = report.getReport() as ProcessReport
  report.excludeNetwork = excludeNetwork ?? false
  const soft = userLimits?.open_files?.soft
  return typeof soft === 'number' ? soft : Infinity
}
