/** What scripts can tell an outcome by. */
export const EXIT = { done: 0, failed: 1, usage: 2, notReachable: 3, timedOut: 4 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]
