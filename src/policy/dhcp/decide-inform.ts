import type { Subnet } from '../../model/subnet.ts'
import { isHostAddress, UNSPECIFIED } from '../../net/ipv4.ts'
import { buildInformReply } from './build-reply.ts'
import { chooseBootFile } from './choose-boot-file.ts'
import { answer, type DhcpCase, type DhcpDecision, silent } from './dhcp-case.ts'
import { replyDestination } from './reply-destination.ts'

/** INFORM: a client with an address of its own asks for the configuration alone (RFC 2131 §4.3.5). */
export function decideInform(c: DhcpCase, subnet: Subnet): DhcpDecision {
  const { snapshot, request, mac, client, shape } = c
  if (snapshot.machine === undefined) return silent('unknown-machine')
  const { ciaddr } = request.packet
  // The answer goes to ciaddr, which anybody can write: never send it out of the subnet that was asked for.
  if (ciaddr !== UNSPECIFIED && !isHostAddress(subnet.cidr, ciaddr)) return silent('inform-from-elsewhere')
  const destination = replyDestination(snapshot, request, 'ack')
  if (destination === undefined) return silent('no-reply-address')
  const boot = chooseBootFile(snapshot, mac, client, snapshot.latestAttempt, shape)
  const packet = buildInformReply(c, subnet, boot)
  return answer(c, packet, destination, boot.reason, 'informed', [])
}
