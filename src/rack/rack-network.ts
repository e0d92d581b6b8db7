import { runCommand } from './run-command.ts'

/** A link of its own in a namespace of its own: nothing on it can reach the machine's real network, or be reached. */
export class RackNetwork {
  readonly namespace: string
  readonly bridge = 'br0'

  private constructor(namespace: string) {
    this.namespace = namespace
  }

  /** Makes the namespace with a bridge that has the given address, `10.77.0.1/24`. */
  static async create(namespace: string, address: string): Promise<RackNetwork> {
    await runCommand('ip', ['netns', 'add', namespace])
    const network = new RackNetwork(namespace)
    try {
      await network.#ip('link', 'set', 'lo', 'up')
      await network.#ip(
        'link',
        'add',
        network.bridge,
        'type',
        'bridge',
        'stp_state',
        '0',
        'forward_delay',
        '0',
        'mcast_snooping',
        '0',
      )
      await network.#ip('addr', 'add', address, 'dev', network.bridge)
      await network
        .#ip('-6', 'addr', 'add', 'fd99::1/64', 'dev', network.bridge, 'nodad')
        .catch(() => undefined)
      await network.#ip('link', 'set', network.bridge, 'up')
    } catch (error) {
      await network.destroy()
      throw error
    }
    return network
  }

  /** What stands before a command that is to run in here. */
  get commandPrefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.namespace]
  }

  /** A port of the bridge for one machine. */
  async addTap(name: string): Promise<void> {
    await this.#ip('tuntap', 'add', name, 'mode', 'tap')
    await this.#ip('link', 'set', name, 'master', this.bridge)
    await this.#ip('link', 'set', name, 'up')
  }

  async destroy(): Promise<void> {
    await runCommand('ip', ['netns', 'del', this.namespace]).catch(() => undefined)
  }

  #ip(...args: string[]): Promise<string> {
    return runCommand('ip', ['-n', this.namespace, ...args])
  }
}
