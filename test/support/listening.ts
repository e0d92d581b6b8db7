import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What a process listens on, as `tcp 127.0.0.1:8080`: read from /proc, so that nothing it opened is missed. */
export function listeningOf(pid: number): readonly string[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
      } catch {
        return []
      }
    }),
  )
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((protocol) =>
    readFileSync(`/proc/${pid}/net/${protocol}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode = '']) => {
        const isListening = protocol.startsWith('tcp') ? state === '0A' : true
        return isListening && inodes.has(inode)
      })
      .map(([, local = '']) => `${protocol} ${readable(local)}`),
  )
}

/** `0100007F:1F90` as `127.0.0.1:8080`; an IPv6 address stays as the kernel writes it. */
function readable(local: string): string {
  const [address = '', port = ''] = local.split(':')
  const bytes =
    address.length === 8 ? (address.match(/../g) ?? []).reverse().map((hex) => parseInt(hex, 16)) : [address]
  return `${bytes.join('.')}:${parseInt(port, 16)}`
}
