import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { MachineState } from '../../model/machine.ts'

/** The state of a machine whose boot took its configuration and is not through its steps. */
export function stateUnderWay({ installedAtMs }: Pick<BootAttempt, 'installedAtMs'>): MachineState {
  return installedAtMs === undefined ? 'first-boot' : 'installed'
}
