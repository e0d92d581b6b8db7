/** How the value of an option is written and read by people. */
export type OptionType =
  | 'address'
  | 'addresses'
  | 'text'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'int32'
  | 'flag'
  | 'domains' // a search list, RFC 3397
  | 'routes' // classless static routes, RFC 3442
  | 'hex'

type Row = readonly [code: number, name: string, type: OptionType]

/** Options by number and name (RFC 2132 unless a comment says otherwise). */
const ROWS: readonly Row[] = [
  [1, 'subnet-mask', 'address'],
  [2, 'time-offset', 'int32'],
  [3, 'router', 'addresses'],
  [4, 'time-server', 'addresses'],
  [5, 'ien116-name-server', 'addresses'],
  [6, 'dns', 'addresses'],
  [7, 'log-server', 'addresses'],
  [9, 'lpr-server', 'addresses'],
  [12, 'host-name', 'text'],
  [13, 'boot-file-size', 'uint16'],
  [15, 'domain', 'text'],
  [17, 'root-path', 'text'],
  [18, 'extensions-path', 'text'],
  [19, 'ip-forwarding', 'flag'],
  [22, 'max-datagram-size', 'uint16'],
  [23, 'default-ttl', 'uint8'],
  [26, 'mtu', 'uint16'],
  [27, 'all-subnets-local', 'flag'],
  [28, 'broadcast-address', 'address'],
  [33, 'static-routes', 'addresses'],
  [35, 'arp-timeout', 'uint32'],
  [37, 'tcp-ttl', 'uint8'],
  [38, 'tcp-keepalive', 'uint32'],
  [40, 'nis-domain', 'text'],
  [41, 'nis-servers', 'addresses'],
  [42, 'ntp', 'addresses'],
  [43, 'vendor-options', 'hex'],
  [44, 'netbios-name-servers', 'addresses'],
  [45, 'netbios-datagram-servers', 'addresses'],
  [46, 'netbios-node-type', 'uint8'],
  [47, 'netbios-scope', 'text'],
  [48, 'x-font-servers', 'addresses'],
  [49, 'x-display-managers', 'addresses'],
  [50, 'requested-address', 'address'],
  [51, 'lease-seconds', 'uint32'],
  [52, 'overload', 'uint8'],
  [53, 'message-type', 'uint8'],
  [54, 'server-id', 'address'],
  [55, 'parameter-list', 'hex'],
  [56, 'message', 'text'],
  [57, 'max-message-size', 'uint16'],
  [58, 'renewal-seconds', 'uint32'],
  [59, 'rebinding-seconds', 'uint32'],
  [60, 'vendor-class', 'text'],
  [61, 'client-id', 'hex'],
  [65, 'nis-plus-servers', 'addresses'],
  [66, 'tftp-server-name', 'text'],
  [67, 'boot-file', 'text'],
  [69, 'smtp-servers', 'addresses'],
  [77, 'user-class', 'hex'], // RFC 3004
  [82, 'relay-agent', 'hex'], // RFC 3046
  [90, 'authentication', 'hex'], // RFC 3118
  [93, 'architecture', 'hex'], // RFC 4578 §2.1
  [94, 'network-interface', 'hex'], // RFC 4578 §2.2
  [97, 'machine-uuid', 'hex'], // RFC 4578 §2.3
  [100, 'posix-timezone', 'text'], // RFC 4833
  [101, 'tz-database-name', 'text'], // RFC 4833
  [108, 'ipv6-only-seconds', 'uint32'], // RFC 8925
  [114, 'captive-portal', 'text'], // RFC 8910
  [116, 'auto-configure', 'uint8'], // RFC 2563
  [118, 'subnet-selection', 'address'], // RFC 3011
  [119, 'domain-search', 'domains'], // RFC 3397
  [121, 'classless-routes', 'routes'], // RFC 3442
  [150, 'tftp-server-addresses', 'addresses'], // RFC 5859
  [175, 'ipxe', 'hex'], // Etherboot's encapsulated options
  [208, 'pxelinux-magic', 'hex'], // RFC 5071
  [209, 'config-file', 'text'], // RFC 5071
  [210, 'path-prefix', 'text'], // RFC 5071
  [211, 'reboot-seconds', 'uint32'], // RFC 5071
  [252, 'web-proxy-auto-discovery', 'text'],
]

/** One option of the dictionary. */
export interface OptionEntry {
  readonly code: number
  readonly name: string
  readonly type: OptionType
}

const ENTRIES: readonly OptionEntry[] = ROWS.map(([code, name, type]) => ({ code, name, type }))
const BY_CODE: ReadonlyMap<number, OptionEntry> = new Map(ENTRIES.map((entry) => [entry.code, entry]))
const BY_NAME: ReadonlyMap<string, OptionEntry> = new Map(ENTRIES.map((entry) => [entry.name, entry]))

export function optionEntry(code: number): OptionEntry | undefined {
  return BY_CODE.get(code)
}

export function optionEntryNamed(name: string): OptionEntry | undefined {
  return BY_NAME.get(name)
}
