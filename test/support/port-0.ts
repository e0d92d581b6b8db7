import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { toHex } from '../../src/net/bytes.ts'

const PROGRAM = new URL('send-from-port-0.pl', import.meta.url).pathname

/** Why a test that sends so is left out here, or false. */
export const SKIP_PORT_0 = process.getuid?.() === 0 ? false : 'only root sends raw datagrams'

/** Sends one UDP datagram whose source port is 0, which everybody on a link can. */
export async function sendFromPort0(
  source: string,
  destination: string,
  port: number,
  payload: Uint8Array,
): Promise<void> {
  await promisify(execFile)('perl', [PROGRAM, source, destination, String(port), toHex(payload)])
}
