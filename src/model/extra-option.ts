/** A DHCP option that an operator adds to what machines are told. */
export interface ExtraOption {
  readonly code: number
  /** How the value is written: `address`, `text`, `uint16`, … */
  readonly type: string
  /** The value in the operator's words. */
  readonly value: string | number | boolean | readonly string[]
  /** The value on the wire, lower-case hex, 1 to 255 bytes. */
  readonly hex: string
  /** True to send it to clients that do not ask for it, too. */
  readonly always: boolean
}
