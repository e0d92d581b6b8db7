import { type NeededPackage, RACK_PACKAGES } from '../../src/rack/debian-packages.ts'

/**
 * What the tests need of Debian's packages. Only programs that start nothing by being installed stand here; servers
 * (Kea, nginx, tftpd-hpa …) are unpacked into a cache instead: see `debian-programs.ts`.
 */
export const TEST_PACKAGES: readonly NeededPackage[] = [
  ...RACK_PACKAGES,
  { name: 'curl', why: 'an HTTP and TFTP client; the first-boot scripts use it' },
  { name: 'jq', why: 'the first-boot scripts use it' },
  { name: 'nix-bin', why: 'parses and evaluates the NixOS modules' },
  { name: 'librsvg2-bin', why: 'draws the service graph, to see that it is a drawing' },
  { name: 'libxml2-utils', why: 'xmllint: is the drawing well-formed?' },
  { name: 'shellcheck', why: 'checks the shell scripts' },
  { name: 'systemd', why: 'systemd-analyze checks the units' },
  { name: 'qemu-system-arm', why: 'an arm64 machine' },
  { name: 'qemu-efi-aarch64', why: 'its UEFI firmware' },
  { name: 'busybox', why: 'udhcpc, a DHCP client' },
  { name: 'isc-dhcp-client', why: 'dhclient, a DHCP client' },
  { name: 'wget', why: 'an HTTP client' },
  { name: 'aria2', why: 'an HTTP client that fetches ranges side by side' },
  { name: 'tftp-hpa', why: 'a TFTP client' },
  { name: 'atftp', why: 'a TFTP client with windowsize' },
  { name: 'tshark', why: 'reads what we send on the wire' },
  { name: 'tcpdump', why: 'captures on a link' },
  { name: 'xz-utils', why: 'image tarballs in xz' },
  { name: 'bzip2', why: 'image tarballs in bzip2' },
  { name: 'strace', why: 'shows that the disk is synced before an answer leaves' },
]
