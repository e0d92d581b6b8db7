import { heardAgain } from '../cluster/founding.ts'
import type { Decision } from '../decision.ts'
import type { Effect } from '../effect.ts'
import { machineEvent } from '../machine/machine-event.ts'
import type { ReportReply, ReportSnapshot } from './report-snapshot.ts'
import { stalenessOf } from './staleness.ts'

/** `not-now`: the machine is held, and is to keep its report and ask again. */
export type InstalledReply = ReportReply | 'not-now'

/**
 * Install mode: the machine says that its system is on its disk, and from now on it boots from there; the same attempt
 * goes on after the reboot (design §5). Only this word of its own spends the install, never a fetch.
 *
 * An arm that nobody spent is newer than the boot that speaks: the machine is to be installed once more, so its word is
 * taken note of and changes nothing. So it is with one whose boot mode is another by now.
 */
export function decideInstalled(snapshot: ReportSnapshot, clockMs?: number): Decision<InstalledReply> {
  const { machine, attempt, cluster, nowMs } = snapshot
  const { bootId } = attempt
  const stale = stalenessOf(machine, attempt, cluster, snapshot.configuredFor)
  if (stale !== undefined) return { reply: 'stale', reason: stale, effects: [] }
  const heard: Effect[] = [
    { kind: 'heard-from', bootId, atMs: nowMs },
    ...(cluster === undefined ? [] : heardAgain(cluster, machine.id, bootId)),
  ]
  if (clockMs !== undefined) heard.push({ kind: 'note-clock', bootId, skewMs: clockMs - nowMs, atMs: nowMs })
  if (machine.state === 'held') return { reply: 'not-now', reason: 'held', effects: heard }
  if (machine.bootMode !== 'install') return { reply: 'known', reason: 'not-install-mode', effects: heard }
  if (machine.armedUntilMs !== undefined && machine.armedUntilMs > nowMs)
    return { reply: 'known', reason: 'armed-again', effects: heard }
  if (attempt.installedAtMs !== undefined || machine.state === 'ready')
    return { reply: 'known', reason: 'already-installed', effects: heard }
  const effects: Effect[] = [
    ...heard,
    { kind: 'note-installed', bootId, atMs: nowMs },
    { kind: 'set-machine-state', machineId: machine.id, state: 'installed' },
    machineEvent(machine, nowMs, 'machine.installed', {}, bootId),
  ]
  if (snapshot.isConfigKept) effects.push({ kind: 'forget-sealed-config', bootId })
  return { reply: 'recorded', reason: 'installed', effects }
}
