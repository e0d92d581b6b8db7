import { isSafeParameter } from '../../model/netboot-script.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** Parameters that the script itself sets: a second one would be another system, or another machine's token. */
const OURS = /^(?:init|initrd|initramfs|BOOT_IMAGE)=|^pilotlight\./

const MAX_ARGUMENTS = 32

/** Undefined when these words may stand on a machine's kernel command line. */
export function kernelArgumentsFault(words: readonly string[]): Refusal | undefined {
  if (words.length > MAX_ARGUMENTS) {
    const detail = `${words.length} kernel arguments, want at most ${MAX_ARGUMENTS}`
    return fault(detail, 'put what all machines share into the image')
  }
  const unsafe = words.find((word) => !isSafeParameter(word))
  if (unsafe !== undefined) {
    const detail = `${JSON.stringify(unsafe.slice(0, 80))} cannot stand on the command line: want 1 to 255 of A-Z a-z 0-9 . _ : / @ = , + -`
    return fault(detail, 'write it without blanks, quotes and other characters that scripts read')
  }
  const ours = words.find((word) => OURS.test(word))
  return ours === undefined
    ? undefined
    : fault(`${JSON.stringify(ours)} is set by the boot script itself`, 'leave it out')
}

function fault(detail: string, cure: string): Refusal {
  return refusal(422, 'kernel-argument-refused', detail, cure, 'kernel_arguments')
}
