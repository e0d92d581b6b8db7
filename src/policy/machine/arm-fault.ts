import type { Cluster } from '../../model/cluster.ts'
import { isControlPlane, isHeldByServer, type Machine } from '../../model/machine.ts'
import { type Refusal, refusal } from '../refusal.ts'

/** What the configuration says about addresses: only an authoritative server pins the lease of a member itself. */
export type AddressKeeping = 'ours' | 'foreign'

/** What stops this machine from being armed, by itself and apart from its image: no cluster, held, no address that stays. */
export function armFault(
  machine: Machine,
  cluster: Cluster | undefined,
  addresses: AddressKeeping,
): Refusal | undefined {
  const { name } = machine
  const no = (code: string, detail: string, cure: string) => refusal(409, code, detail, cure)
  if (machine.state === 'discovered') {
    return no(
      'not-accepted',
      `${name} was only discovered`,
      `pilotlight machine add NAME --mac ${machine.macs[0]}`,
    )
  }
  // What the server held was to be looked at, and the arm is the word that somebody has.
  if (machine.state === 'held' && !isHeldByServer(machine)) {
    const isFenced = machine.holdReason === 'fenced'
    return no(
      isFenced ? 'fenced' : 'machine-held',
      isFenced
        ? `${name} is fenced: the founding was moved away from it`
        : `${name} is held (${machine.holdReason ?? 'operator'})`,
      `pilotlight machine release ${name}`,
    )
  }
  if (machine.bootMode === 'local') {
    return no(
      'local-mode',
      `${name} boots from its own disk`,
      `pilotlight machine edit ${name} --boot-mode netboot`,
    )
  }
  if (machine.clusterId === undefined || cluster === undefined) {
    return no('no-cluster', `${name} belongs to no cluster`, `pilotlight machine edit ${name} --cluster NAME`)
  }
  const { state } = cluster.founding
  if (cluster.held && cluster.holdStep === undefined) {
    return no('cluster-held', `cluster ${cluster.name} is held`, `pilotlight cluster release ${cluster.name}`)
  }
  if (state === 'frozen') {
    const cure = `pilotlight cluster unfreeze ${cluster.name} --as open|founded`
    return no(
      'cluster-frozen',
      `cluster ${cluster.name} is frozen (${cluster.founding.frozenBy ?? 'unknown'})`,
      cure,
    )
  }
  if (state === 'closed') {
    return no(
      'cluster-closed',
      `cluster ${cluster.name} was deleted`,
      `pilotlight machine edit ${name} --cluster NAME`,
    )
  }
  if (isControlPlane(machine.role) && machine.reservedAddress === undefined && addresses === 'foreign') {
    return no(
      'no-fixed-address',
      `${name} is a control-plane machine and another DHCP server gives its address`,
      `pilotlight machine edit ${name} --address ADDRESS`,
    )
  }
  return undefined
}
