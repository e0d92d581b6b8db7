/** A firmware that wants its replies in another shape than most, told by what it sends. */
export interface Quirk {
  /** One word or several with hyphens; an operator's entry takes the place of a shipped one of the same name. */
  readonly name: string
  /** Where it is known from: an issue, a specification, a capture. */
  readonly source: string
  /** All that is given must hold, each by one of its values. */
  readonly match: {
    /** What option 60 begins with. */
    readonly vendorClasses?: readonly string[]
    /** Values of option 93. */
    readonly architectures?: readonly number[]
    /** What the MAC begins with, whole bytes: `b8:27:eb`, or a whole MAC. */
    readonly macs?: readonly string[]
    /** What the SMBIOS UUID of option 97 begins with, as an operator reads it. */
    readonly uuids?: readonly string[]
  }
  readonly reply: ReplyShape
}

/** How a reply differs from the usual one; what is left out stays usual. */
export interface ReplyShape {
  /** True: option 60 "PXEClient", and option 43 that says "use the file of this reply", for ROMs that insist on both. */
  readonly pxeClass?: boolean
  /** Option 43: none, "use this file", or the menu that a Raspberry Pi looks for. */
  readonly vendorOptions?: 'none' | 'direct' | 'raspberry-pi'
  /** Where the boot file is named: the header field, option 67, or both (as usual). */
  readonly fileIn?: 'both' | 'field' | 'option'
  /** Least bytes of a reply, zeros at its end; usual are 300. */
  readonly padBytes?: number
  /** How long the server waits before it sends. */
  readonly delayMs?: number
  /** The loader, unless the machine has one of its own. */
  readonly loader?: string
  /** Most bytes of a TFTP block. */
  readonly tftpBlockBytes?: number
}
