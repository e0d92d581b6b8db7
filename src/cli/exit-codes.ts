/** What scripts can tell an outcome by; `diskUntrusted` is the server's, which nobody is to start again by himself then. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notReachable: 3,
  timedOut: 4,
  diskUntrusted: 5,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
