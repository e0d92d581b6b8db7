import { existsSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { INSTALLED_FILE } from '../config/load.ts'
import { formatCidr, ipv4FromNumber, ipv4ToNumber, networkOf } from '../net/ipv4.ts'
import { makeDirectory } from '../store/make-directory.ts'
import { CliFailure } from './failure.ts'
import { chooseLink, type Link, leadingOut, linksOf } from './links.ts'

export interface InitOptions {
  readonly config: string
  readonly interface?: string
  readonly stdout?: boolean
  readonly force?: boolean
  readonly json?: boolean
}

/** `pilotlight init`: writes a configuration for the likeliest link, with every choice commented. */
export function init(options: InitOptions): void {
  const links = linksOf(os.networkInterfaces(), leadingOut())
  const link = chooseLink(links, options.interface)
  const text = configText(link, links)
  if (options.stdout === true) {
    process.stdout.write(text)
    return
  }
  write(options.config, text, options.force === true)
  const flag = options.config === INSTALLED_FILE ? '' : ` --config ${options.config}`
  const next = ['assets install', 'doctor', 'serve'].map((command) => `pilotlight ${command}${flag}`)
  if (options.json === true) return console.log(JSON.stringify(written(options.config, link, next), null, 2))
  console.log(
    `wrote ${options.config}: machines will be served on ${link.name} (${link.address}/${link.prefixBits})`,
  )
  if (link.leadsOut) {
    console.log(
      `${link.name} has the default route: if another DHCP server leases addresses there, set dhcp.mode to proxy (pilotlight doctor looks for one)`,
    )
  }
  console.log(`next: read it, then: ${next.join(' && ')}`)
}

function written(config: string, { name, address, prefixBits, leadsOut }: Link, next: readonly string[]) {
  return { config, interface: name, address: `${address}/${prefixBits}`, has_default_route: leadsOut, next }
}

function write(file: string, text: string, overwrites: boolean): void {
  try {
    makeDirectory(path.dirname(path.resolve(file)))
    writeFileSync(file, text, { mode: 0o644, flag: overwrites ? 'w' : 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && existsSync(file))
      throw new CliFailure(`${file} is there already; --force overwrites it, --stdout prints instead`)
    throw new CliFailure(
      `${file} cannot be written: got ${code}, want a file that this user may write\ncure: run as root, or name another one: --config ./pilotlight.yaml`,
    )
  }
}

/** The configuration, commented for a person who has not read the documentation. */
export function configText(link: Link, links: readonly Link[]): string {
  const network = networkOf(link.address, link.prefixBits)
  const cidr = formatCidr({ network, prefixBits: link.prefixBits })
  const pool = poolOf(link)
  const others = links
    .filter((other) => other.name !== link.name)
    .map((other) => `${other.name} (${other.address})`)
  return `# Pilotlight's configuration. Every key can also be set in the environment: dhcp.mode is PILOTLIGHT_DHCP_MODE.
# docs/configuration.md explains each.

# The provisioning link: machines are served here, and only here.${others.length === 0 ? '' : ` Others of this machine: ${others.join(', ')}.`}
interface: ${link.name}
server_address: ${link.address}

# authoritative: this server leases the addresses, and is the only one that does.
# proxy: another DHCP server leases them, this one only adds what to boot.
# off: neither; point your DHCP server's clients to http://${link.address}:8080/boot.ipxe.
dhcp:
  mode: authoritative

subnets:
  - cidr: ${cidr}
${pool === undefined ? '    # too small for a pool: reserve an address for each machine\n' : `    pool: ${pool} # for machines without an address of their own; must be free\n`}    # router: ${link.address}
    # dns: [${link.address}]
    lease_seconds: 3600 # must outlive firmware, loader and image: neither of them renews

# ignore: a machine that nobody registered gets no answer at all.
# discover: it gets an address of the pool, shows that it waits, and is listed for you to accept.
unknown_machines: ignore

tftp:
  port: 69
boot:
  port: 8080 # scripts, loaders, images and reports, for machines
api:
  listen: 127.0.0.1:8090 # for operators; keep it off the provisioning link
log:
  level: info
  format: auto # pretty on a terminal, JSON otherwise
`
}

/** The upper half of the network without its ends and the server's own address. */
function poolOf({ address, prefixBits }: Link): string | undefined {
  if (prefixBits > 28) return undefined
  const first = ipv4ToNumber(networkOf(address, prefixBits))
  const size = 2 ** (32 - prefixBits)
  const from = first + Math.floor(size / 2)
  const to = Math.min(first + size - 2, from + 4094)
  const own = ipv4ToNumber(address)
  if (own < from || own > to) return `${ipv4FromNumber(from)}-${ipv4FromNumber(to)}`
  return own - from > to - own
    ? `${ipv4FromNumber(from)}-${ipv4FromNumber(own - 1)}`
    : `${ipv4FromNumber(own + 1)}-${ipv4FromNumber(to)}`
}
