import type { BootAttempt } from '../../model/boot-attempt.ts'
import type { Machine } from '../../model/machine.ts'
import type { Decision } from '../decision.ts'
import { decideRedeem } from './decide-redeem.ts'
import type { RedeemReply, RedeemRequest, RedeemSnapshot } from './redeem-snapshot.ts'

/** What a machine's next redemption would be answered, from an address of its own and with a token just minted. */
export interface ForeseenRedeem {
  readonly decision: Decision<RedeemReply>
  /** The same after an arm, where nothing but the arm is missing. */
  readonly whenArmed?: Decision<RedeemReply>
}

/** The boot that would redeem where none is under way. */
const NEXT_BOOT_ID = 'next-boot'

/**
 * Decides a redemption that nobody asked for, by the function that serves; for `explain`, nothing of it is carried out.
 *
 * @param snapshot of the machine, read without a token.
 * @param latest the machine's latest boot attempt: its own next redemption where it is still on its way to one.
 */
export function foreseeRedeem(
  snapshot: RedeemSnapshot,
  machine: Machine,
  latest: BootAttempt | undefined,
  request: RedeemRequest,
): ForeseenRedeem {
  const { earlier: _earlier, foreign: _foreign, ...rest } = snapshot
  const attempt = isOnItsWay(latest) ? latest : nextBoot(machine, snapshot.nowMs)
  const foreseen: RedeemSnapshot = {
    ...rest,
    machine,
    attempt,
    leasedToMachineId: machine.id,
    token: {
      bootId: attempt.bootId,
      machineId: machine.id,
      address: request.address,
      expiresAtMs: snapshot.nowMs + 1,
      isSpent: false,
      isRevoked: false,
    },
  }
  const decision = decideRedeem(foreseen, request)
  if (decision.reason !== 'not-armed' || machine.state === 'held') return { decision }
  const armed: Machine = { ...machine, state: 'armed', armedUntilMs: snapshot.nowMs + 1 }
  return { decision, whenArmed: decideRedeem({ ...foreseen, machine: armed }, request) }
}

/** True for a boot that has not ended and has not redeemed: only a tentative one can still do so. */
function isOnItsWay(latest: BootAttempt | undefined): latest is BootAttempt {
  return latest?.status === 'tentative' && latest.endedAtMs === undefined
}

function nextBoot(machine: Machine, nowMs: number): BootAttempt {
  return {
    bootId: NEXT_BOOT_ID,
    machineId: machine.id,
    status: 'tentative',
    stage: 'initrd-sent',
    startedAtMs: nowMs,
    heardAtMs: nowMs,
  }
}
