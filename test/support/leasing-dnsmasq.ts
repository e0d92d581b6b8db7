import type { FirmwareRack } from './firmware-rack.ts'

/**
 * Starts another DHCP server on the machines' link, in the namespace of a host at 10.77.0.2: dnsmasq leases
 * 10.77.0.50 to .99, and knows nothing of booting.
 *
 * @param addresses Fixed addresses by MAC.
 */
export async function startLeasingDnsmasq(
  rack: FirmwareRack,
  ns: string,
  addresses: Readonly<Record<string, string>> = {},
): Promise<void> {
  const program = rack.namespaces.start(ns, [
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--interface=eth0'],
    ...['--bind-interfaces', '--no-ping', '--log-dhcp', '--log-facility=-', '--leasefile-ro', '--pid-file'],
    ...['--user=root', '--dhcp-range=10.77.0.50,10.77.0.99,255.255.255.0,1h'],
    ...Object.entries(addresses).map(([mac, address]) => `--dhcp-host=${mac},${address}`),
  ])
  await program.line(/DHCP, IP range/)
}
