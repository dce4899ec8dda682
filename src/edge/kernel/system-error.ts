// The errno name of a failed system call.

/** `ENOENT`, `EACCES`, …; undefined for any other kind of failure. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
