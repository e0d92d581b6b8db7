import type { FastifyInstance } from 'fastify'
import type { Machine } from '../../../model/machine.ts'
import { findMachine } from '../../../store/snapshots/machine.ts'
import { diagnosisResource } from './diagnosis-resource.ts'
import { explainMachineConfig } from './explain-machine-config.ts'
import { explainMachineDhcp } from './explain-machine-dhcp.ts'
import { explainMachineScript } from './explain-machine-script.ts'
import type { ExplainSection } from './explain-section.ts'
import type { OperatorContext } from './operator-context.ts'
import { notFound } from './problem.ts'

/**
 * The parts, in the order in which a machine meets them. A part reads the world by `store.peek` and decides by the very
 * functions that serve; it changes nothing and shows no secret.
 */
const SECTIONS: readonly ((context: OperatorContext, machine: Machine) => ExplainSection)[] = [
  explainMachineDhcp,
  explainMachineScript,
  explainMachineConfig,
]

/**
 * `GET /api/v1/machines/{ref}/explain`: what DHCP, script and configuration would be for this machine now, and why;
 * then where it stands, and the likely causes where it does not move on.
 */
export function addExplainRoute(server: FastifyInstance, context: OperatorContext): void {
  server.get<{ Params: { ref: string } }>('/api/v1/machines/:ref/explain', async ({ params }) => {
    const machine = findMachine(context.store.lists, params.ref)
    if (machine === undefined) throw notFound('machine', params.ref)
    return {
      machine: machine.name,
      state: machine.state,
      sections: SECTIONS.map((explain) => explain(context, machine)),
      diagnosis: diagnosisResource(context, machine, await context.stallWatch.diagnose(machine)),
    }
  })
}
