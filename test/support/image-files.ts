import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** The first bytes of an x86 bzImage with a 64-bit entry, or of an arm64 Image, and noise after them. */
export function aKernel(architecture: 'x86_64' | 'arm64' | 'i386' = 'x86_64', bytes = 4096): Buffer {
  const kernel = randomBytes(bytes)
  kernel.fill(0, 0, 1024)
  if (architecture === 'arm64') kernel.write('ARM\x64', 0x38, 'latin1')
  else {
    kernel.write('\x55\xaa', 0x1fe, 'latin1')
    kernel.write('HdrS', 0x202, 'latin1')
    kernel.writeUInt16LE(0x020f, 0x206)
    kernel.writeUInt16LE(architecture === 'x86_64' ? 1 : 0, 0x236)
  }
  return kernel
}

/** What begins as a newc cpio does. */
export function anInitrd(bytes = 8192): Buffer {
  const initrd = randomBytes(bytes)
  initrd.write('070701', 0, 'latin1')
  return initrd
}

export function aSquashfs(bytes = 4096): Buffer {
  const squashfs = randomBytes(bytes)
  squashfs.write('hsqs', 0, 'latin1')
  return squashfs
}

export const INIT = '/nix/store/abc-nixos-system-node-25.05/init'

/** `netboot.ipxe` as a NixOS build writes it. */
export function netbootScript(
  kernel = 'bzImage',
  initrd = 'initrd',
  parameters = 'loglevel=4 lsm=landlock,yama',
): string {
  return `#!ipxe
# Use the cmdline variable to pass on further parameters.
kernel ${kernel} init=${INIT} initrd=${initrd} ${parameters} \${cmdline}
initrd ${initrd}
boot
`
}

/** Writes files below a directory; text or bytes. */
export function writeFiles(directory: string, files: Readonly<Record<string, string | Buffer>>): string {
  for (const [name, content] of Object.entries(files)) {
    const target = path.join(directory, name)
    mkdirSync(path.dirname(target), { recursive: true })
    writeFileSync(target, content)
  }
  return directory
}

/** The files of a whole set. */
export function setFiles(kernel = aKernel(), initrd = anInitrd()): Readonly<Record<string, string | Buffer>> {
  return { 'netboot.ipxe': netbootScript(), bzImage: kernel, initrd }
}
