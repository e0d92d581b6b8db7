import { accessSync, constants, existsSync } from 'node:fs'

export interface DemoMode {
  readonly mode: 'qemu' | 'simulated'
  /** Why this one, for the person who asked. */
  readonly why: string
}

/** Picks the best demo that this machine can run: QEMU needs root, network namespaces and TUN, and Debian's packages. */
export function chooseDemoMode(wantsSimulated: boolean): DemoMode {
  if (wantsSimulated) return { mode: 'simulated', why: 'asked for with --simulated' }
  if (process.getuid?.() !== 0)
    return { mode: 'simulated', why: 'QEMU machines need root for a private network; this is not root' }
  if (process.arch !== 'x64')
    return { mode: 'simulated', why: `QEMU machines of the demo are x86-64; this is ${process.arch}` }
  if (!existsSync('/dev/net/tun') || !isWritable('/dev/net/tun')) {
    return { mode: 'simulated', why: 'QEMU machines need /dev/net/tun, which is not here' }
  }
  if (!existsSync('/usr/bin/apt-get'))
    return { mode: 'simulated', why: "QEMU machines need Debian's packages; there is no apt-get" }
  return { mode: 'qemu', why: 'root, TUN and apt-get are here: real firmware in QEMU' }
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
