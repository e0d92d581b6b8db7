/** The two dwords of a Memory Array Mapped Address structure from its offset 4 on, as iPXE's `:hexraw` writes them. */
const RANGE = /^[0-9a-f]{16}$/i
/** Says that the address stands in fields which versions of SMBIOS before 2.7 do not have. */
const ELSEWHERE = 0xffffffff

/**
 * How much RAM a machine has, in MiB, from its SMBIOS type 19 structures (SMBIOS 3.6 §7.20): first and last address of
 * each range, in KiB. A machine with more than 3 GiB usually has two ranges.
 *
 * @param ranges what iPXE put into the query: unchecked; empty where there is no such structure.
 * @returns undefined when nothing was told, or more than 4 TiB.
 */
export function toldRamMib(ranges: readonly unknown[]): number | undefined {
  let kib = 0
  for (const range of ranges) {
    if (typeof range !== 'string' || !RANGE.test(range)) continue
    const view = new DataView(new Uint8Array(Buffer.from(range, 'hex')).buffer)
    const first = view.getUint32(0, true)
    const last = view.getUint32(4, true)
    if (first === ELSEWHERE || last === ELSEWHERE || last < first) return undefined
    kib += last - first + 1
  }
  const mib = Math.floor(kib / 1024)
  return mib === 0 ? undefined : mib
}
