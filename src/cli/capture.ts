import { readFileSync } from 'node:fs'
import { CaptureFileError, readCaptureFile } from '../net/capture-file.ts'
import { type ClientPacket, clientPacketsOf } from '../servers/dhcp/replay-capture.ts'
import { CliFailure } from './failure.ts'

/** The client packets of a capture file; a failure says what is wrong with the file. */
export function packetsIn(file: string): readonly ClientPacket[] {
  let bytes: Uint8Array
  try {
    bytes = readFileSync(file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CliFailure(`${file} cannot be read (${code}); want a pcap or pcapng capture`)
  }
  try {
    return clientPacketsOf(readCaptureFile(bytes))
  } catch (error) {
    if (!(error instanceof CaptureFileError)) throw error
    throw new CliFailure(
      `${file}: ${error.message}\ncure: capture again with tcpdump -w FILE port 67 or port 4011`,
    )
  }
}
