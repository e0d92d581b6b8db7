import { randomBytes } from 'node:crypto'
import type { FirstBootStep, GatedStep, ReportState } from '../model/first-boot.ts'
import type { Ipv4 } from '../net/ipv4.ts'
import { exchange } from './http-exchange.ts'

/** The part of `cluster-config.json` that a simulated node uses. */
export interface NodeConfig {
  readonly node_id: string
  readonly cluster_id: string
  readonly member_id: string
  readonly bootstrap: boolean
  readonly provisioning: {
    readonly boot_id: string
    readonly report_url: string
    readonly gate_url: string
    readonly report_token: string
  }
}

/** What an open gate says. */
export interface GatePass {
  readonly action: 'found' | 'join' | 'resume' | 'setup' | 'skip'
  readonly slot_no: number
  readonly epoch: number
  readonly member_id: string | null
  readonly leader_url: string | null
  readonly voter: boolean
}

const RETRY_MS = 500
const GATE_WAIT_SECONDS = 10

/** Redeems the boot token of a kernel command line, as `fetch-config.sh` does. */
export async function redeemConfig(cmdline: string, localAddress: Ipv4): Promise<NodeConfig> {
  const word = (name: string) =>
    cmdline
      .split(' ')
      .find((part) => part.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? ''
  const answer = await exchange({
    url: `${word('pilotlight.url')}/machines/${word('pilotlight.mac')}/cluster-config.json`,
    localAddress,
    headers: {
      authorization: `Bearer ${word('pilotlight.token')}`,
      'pilotlight-nonce': randomBytes(16).toString('hex'),
      'pilotlight-clock': String(Date.now()),
    },
  })
  if (answer.status !== 200) throw new Error(`the configuration was refused with ${answer.status}`)
  return JSON.parse(answer.body.toString())
}

/** Reports and asks gates for one boot, in order, with one sequence over all reports. */
export class FirstBootClient {
  readonly #config: NodeConfig
  readonly #address: Ipv4
  readonly #headers: Readonly<Record<string, string>>
  #sequence = 0

  constructor(config: NodeConfig, address: Ipv4) {
    this.#config = config
    this.#address = address
    this.#headers = { authorization: `Bearer ${config.provisioning.report_token}` }
  }

  async report(
    step: FirstBootStep,
    state: ReportState,
    more: { slot_no?: number; epoch?: number; reason?: string; facts?: Record<string, string | number> } = {},
  ): Promise<void> {
    this.#sequence += 1
    const { boot_id, report_url } = this.#config.provisioning
    const answer = await exchange({
      method: 'POST',
      url: report_url,
      localAddress: this.#address,
      headers: { ...this.#headers, 'pilotlight-clock': String(Date.now()) },
      body: { boot_id, reports: [{ step, state, sequence: this.#sequence, ...more }] },
    })
    if (answer.status !== 200)
      throw new Error(`${step} ${state}: the report was answered with ${answer.status}`)
  }

  /** Asks until the gate opens; 409 and 401 throw. */
  async passGate(step: GatedStep): Promise<GatePass> {
    for (;;) {
      const answer = await exchange({
        url: `${this.#config.provisioning.gate_url}/${step}?wait=${GATE_WAIT_SECONDS}&data=`,
        localAddress: this.#address,
        headers: this.#headers,
      })
      if (answer.status === 200) return JSON.parse(answer.body.toString())
      if (answer.status !== 503) throw new Error(`${step}: the gate answered ${answer.status}`)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}
