import { textOf } from '../../dhcp/options.ts'
import { clientMac, OPTION } from '../../dhcp/packet.ts'
import { printable, toHex } from '../../net/bytes.ts'
import type { DhcpReply } from '../../policy/dhcp/dhcp-case.ts'
import type { DhcpRequest } from '../../policy/dhcp/question.ts'

/** The part of a logger that this server uses. */
export interface DhcpLog {
  /** False: a line of that level would be thrown away, so nobody need put it together. Absent: unknown. */
  isLevelEnabled?(level: string): boolean
  debug(facts: object, sentence: string): void
  info(facts: object, sentence: string): void
  warn(facts: object, sentence: string): void
  error(facts: object, sentence: string): void
}

/** What the server is told to do with a request, and why. */
export interface DhcpAnswer {
  readonly reply: DhcpReply | undefined
  readonly reason: string
}

/** One line a decision: constant sentence, facts as fields, machine-supplied text escaped. */
export function logAnswer(log: DhcpLog, request: DhcpRequest, { reply, reason }: DhcpAnswer): void {
  if (log.isLevelEnabled?.('info') === false) return
  const facts = requestFacts(request)
  if (reply === undefined) {
    log.info({ ...facts, reason }, 'DHCP message left unanswered')
    return
  }
  const { packet, address, boot } = reply
  log.info(
    {
      ...facts,
      reason,
      address: packet.yiaddr,
      to: address,
      boot,
      ...(packet.file === '' ? {} : { file: packet.file }),
    },
    'DHCP message answered',
  )
}

/** What a line about a request says of it. */
export function requestFacts({ packet, arrival }: DhcpRequest): Record<string, unknown> {
  const vendorClass = textOf(packet, OPTION.vendorClass)
  return {
    message: packet.messageType,
    mac: clientMac(packet) ?? toHex(packet.chaddr.subarray(0, packet.hlen)),
    xid: packet.xid.toString(16).padStart(8, '0'),
    ...(arrival.socket === 'pxe' ? { port: 'pxe' } : {}),
    ...(packet.giaddr === '0.0.0.0' ? {} : { relay: packet.giaddr }),
    ...(vendorClass === undefined ? {} : { vendorClass: printable(vendorClass) }),
  }
}
