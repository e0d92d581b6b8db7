import type { Quirk } from '../../model/quirk.ts'

/**
 * Firmware whose replies have another shape than the usual one. The usual one already is what the sources of protocol
 * and captures ask for together (no option 60 to a PXE client, file name in field and option, NUL behind names, 300
 * bytes, no overload), so little is left: an entry is added with a source, and with a row in the test of this table.
 */
export const SHIPPED_QUIRKS: readonly Quirk[] = [
  {
    name: 'raspberry-pi-menu',
    source: 'https://github.com/raspberrypi/rpi-eeprom/issues/60',
    match: {
      architectures: [0, 41],
      macs: ['28:cd:c1', '2c:cf:67', '88:a2:9e', 'b8:27:eb', 'd8:3a:dd', 'dc:a6:32', 'e4:5f:01'],
    },
    reply: { vendorOptions: 'raspberry-pi' },
  },
  {
    // Its ROM misses an answer that comes at once; dnsmasq grew --dhcp-reply-delay for it.
    name: 'raspberry-pi-3-instant-offer',
    source: 'https://github.com/raspberrypi/firmware/issues/862',
    match: { architectures: [0], macs: ['b8:27:eb'] },
    reply: { delayMs: 1000 },
  },
]

/** The shipped entries with the operator's: one of the same name takes its place, the others follow and count more. */
export function withOperatorsQuirks(own: readonly Quirk[]): readonly Quirk[] {
  const shipped = SHIPPED_QUIRKS.filter(({ name }) => !own.some((one) => one.name === name))
  return [...shipped, ...own]
}
