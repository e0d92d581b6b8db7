import type { Ipv4 } from '../net/ipv4.ts'
import type { Mac } from '../net/mac.ts'
import { macInPath } from '../net/mac.ts'
import { readBootScript } from './boot-script.ts'
import { type ObtainedLease, obtainLease, type Personality } from './dhcp-lease.ts'
import { fetchHashed } from './fetch-hashed.ts'
import { FirstBootClient, redeemConfig } from './first-boot-client.ts'
import { exchange } from './http-exchange.ts'
import { type ServiceIdentity, SimulatedServices } from './simulated-services.ts'
import { downloadByTftp } from './tftp-download.ts'

export interface SimulatedMachineOptions {
  readonly mac: Mac
  readonly uuid: string
  readonly serial: string
  readonly firmware: 'bios' | 'uefi'
  /** True for a ROM that is itself iPXE, as QEMU's are. */
  readonly romIsIpxe: boolean
  /** UEFI that fetches its loader by HTTP. */
  readonly usesHttpBoot?: boolean
  readonly dhcp: { readonly address: Ipv4; readonly port: number }
  readonly tftpPort: number
  readonly relayAddress: Ipv4
  readonly identity: ServiceIdentity
  /** Called with a line for whoever watches. */
  say?(line: string): void
}

const MAX_CHAINS = 400

/**
 * A machine that exists only as its traffic: DHCP, TFTP and HTTP by the same protocols as a real one, then the four
 * first-boot steps against services of its own.
 */
export class SimulatedMachine {
  readonly #options: SimulatedMachineOptions
  #services: SimulatedServices | undefined
  readonly #off = new AbortController()

  constructor(options: SimulatedMachineOptions) {
    this.#options = options
  }

  /** From power-on to ready. Rejects with the reason when it gets stuck. */
  async run(): Promise<void> {
    const { address, kernelCmdline } = await this.#bootFromNetwork()
    await this.#lease('os')
    await this.#fetchRoot(kernelCmdline, address)
    const config = await redeemConfig(kernelCmdline, address)
    const services = new SimulatedServices(address, this.#options.identity)
    this.#services = services
    await services.start()
    if (this.#off.signal.aborted) {
      // It was switched off while its services began: nobody else stops them.
      await services.stop()
      throw new Error('was powered off')
    }
    const client = new FirstBootClient(config, address)
    await this.#join(client, services, 'chainfire')
    await this.#join(client, services, 'flaredb')
    await this.#setUpIam(client, address)
    await client.report('cluster-health-check', 'started')
    await client.report('cluster-health-check', 'succeeded', { facts: { services: 3 } })
  }

  async powerOff(): Promise<void> {
    this.#off.abort()
    await this.#services?.stop()
  }

  async #bootFromNetwork(): Promise<{ address: Ipv4; kernelCmdline: string }> {
    const { firmware, romIsIpxe } = this.#options
    let personality: Personality = romIsIpxe ? `ipxe-${firmware}` : this.#romPersonality()
    let lease = await this.#lease(personality)
    for (let loads = 0; !lease.bootFile.endsWith('.ipxe'); loads += 1) {
      if (loads > 2) throw new Error(`a loader again and again: ${lease.bootFile}`)
      if (lease.bootFile.startsWith('http')) await this.#fetchWhole(lease.bootFile, lease.address)
      else await this.#loadByTftp(lease, firmware)
      personality = `ipxe-${firmware}`
      lease = await this.#lease(personality)
    }
    const kernelCmdline = await this.#followScripts(lease.bootFile, lease.address)
    return { address: lease.address, kernelCmdline }
  }

  #romPersonality(): Personality {
    const { firmware, usesHttpBoot } = this.#options
    if (firmware === 'bios') return 'bios-rom'
    return usesHttpBoot === true ? 'uefi-http' : 'uefi'
  }

  #lease(personality: Personality): Promise<ObtainedLease> {
    const { mac, uuid, dhcp, relayAddress } = this.#options
    return obtainLease({
      mac,
      uuid,
      personality,
      server: dhcp,
      relayAddress,
      timeoutMs: 20_000,
      signal: this.#off.signal,
    })
  }

  async #loadByTftp(lease: ObtainedLease, firmware: 'bios' | 'uefi'): Promise<void> {
    if (lease.bootFile === '') throw new Error('the lease names no boot file')
    const file = lease.bootFile.startsWith('tftp://') ? new URL(lease.bootFile).pathname : lease.bootFile
    await downloadByTftp({
      server: lease.nextServer,
      port: this.#options.tftpPort,
      file,
      localAddress: lease.address,
      probesFirst: firmware === 'uefi',
      ...(firmware === 'uefi' ? { window: 4 } : { blockBytes: 1432 }),
    })
  }

  async #followScripts(firstUrl: string, address: Ipv4): Promise<string> {
    const { mac, uuid, serial, firmware, say } = this.#options
    const variables = {
      mac: macInPath(mac),
      uuid,
      serial,
      manufacturer: 'Simulated & Co',
      product: 'Box',
      asset: '',
      buildarch: firmware === 'uefi' ? 'x86_64' : 'i386',
      platform: firmware === 'uefi' ? 'efi' : 'pcbios',
    }
    let url = firstUrl
    for (let chains = 0; chains < MAX_CHAINS && !this.#off.signal.aborted; chains += 1) {
      const answer = await exchange({ url, localAddress: address })
      if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
      const action = readBootScript(answer.body.toString(), url, variables)
      if (action.kind === 'boot') {
        await this.#fetchWhole(action.kernelUrl, address)
        await this.#fetchWhole(action.initrdUrl, address)
        return action.cmdline
      }
      if (action.kind === 'exit') throw new Error('was told to boot from its disk, and has none')
      if (action.kind === 'wait') {
        say?.(action.says)
        await new Promise((resolve) => setTimeout(resolve, action.seconds * 1000))
      }
      url = action.url
    }
    throw new Error('was powered off, or waited too long')
  }

  async #fetchWhole(url: string, localAddress: Ipv4): Promise<void> {
    const answer = await exchange({ url, localAddress })
    const length = Number(answer.headers['content-length'])
    if (answer.status !== 200 || answer.body.length !== length) {
      throw new Error(`${url}: status ${answer.status}, ${answer.body.length} of ${length} bytes`)
    }
  }

  /** As stage 1 of an image does whose root is a squashfs of its own. */
  async #fetchRoot(kernelCmdline: string, localAddress: Ipv4): Promise<void> {
    const word = (name: string) => new RegExp(`(?:^| )pilotlight\\.${name}=(\\S+)`).exec(kernelCmdline)?.[1]
    const url = word('squashfs')
    if (url === undefined) return
    const { status, bytes, sha256 } = await fetchHashed(url, { localAddress })
    if (status !== 200 || bytes !== Number(word('squashfs_bytes')) || sha256 !== word('squashfs_sha256'))
      throw new Error(`${url}: status ${status}, ${bytes} bytes, SHA-256 ${sha256}`)
  }

  async #join(
    client: FirstBootClient,
    services: SimulatedServices,
    service: 'chainfire' | 'flaredb',
  ): Promise<void> {
    const step = `${service}-cluster-join` as const
    await client.report(step, 'started')
    const pass = await client.passGate(step)
    const memberId = pass.member_id ?? ''
    if (pass.action === 'found') services[service].found(memberId, memberId)
    else if (pass.action === 'join') await services.join(service, pass.leader_url ?? '', memberId, pass.voter)
    else throw new Error(`${step}: a machine without data was told to ${pass.action}`)
    const raft = pass.action === 'found' ? 'leader' : 'follower'
    await client.report(step, 'succeeded', { slot_no: pass.slot_no, epoch: pass.epoch, facts: { raft } })
  }

  async #setUpIam(client: FirstBootClient, address: Ipv4): Promise<void> {
    await client.report('iam-initial-setup', 'started')
    const pass = await client.passGate('iam-initial-setup')
    if (pass.action === 'setup') {
      const answer = await exchange({
        method: 'POST',
        url: `https://${address}:8080/setup`,
        ca: this.#options.identity.caPem,
        body: {},
      })
      if (answer.status !== 201 && answer.status !== 409)
        throw new Error(`IAM set-up answered ${answer.status}`)
    }
    await client.report('iam-initial-setup', 'succeeded', { slot_no: pass.slot_no, epoch: pass.epoch })
  }
}
