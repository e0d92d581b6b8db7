/** A file that can be sent. Loaders are small and stay in memory; the same array is the same file, for ever. */
export interface TftpFile {
  readonly name: string
  readonly bytes: Uint8Array
}
