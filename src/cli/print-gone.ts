/** Says that what has no answer was done: it is deleted. */
export function printGone(what: string, { json }: { readonly json?: boolean }): void {
  console.log(json === true ? JSON.stringify({ deleted: what }, null, 2) : `${what} is gone`)
}
