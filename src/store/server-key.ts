import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import { closeSync, existsSync, fchmodSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import path from 'node:path'

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** The server's own key, in `data_dir/server.key`: it seals what is kept at rest and signs report tokens. */
export class ServerKey {
  readonly #sealing: Buffer
  readonly #reporting: Buffer

  private constructor(key: Buffer) {
    this.#sealing = Buffer.from(hkdfSync('sha256', key, '', 'pilotlight sealing', KEY_BYTES))
    this.#reporting = Buffer.from(hkdfSync('sha256', key, '', 'pilotlight report tokens', KEY_BYTES))
  }

  /** Reads the key, or makes one that only this user can read. */
  static at(dataDir: string): ServerKey {
    const file = path.join(dataDir, 'server.key')
    if (!existsSync(file)) writeSecretFile(file, randomBytes(KEY_BYTES))
    const key = readFileSync(file)
    if (key.length !== KEY_BYTES) {
      throw new Error(`${file} has ${key.length} bytes, want ${KEY_BYTES}: restore it from the backup`)
    }
    return new ServerKey(key)
  }

  /** AES-256-GCM: nonce, tag and ciphertext in one blob. */
  seal(text: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#sealing, nonce)
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), body])
  }

  /** The reverse; a blob of another key, or one that was changed, throws. */
  unseal(blob: Buffer): string {
    const decipher = createDecipheriv('aes-256-gcm', this.#sealing, blob.subarray(0, NONCE_BYTES))
    decipher.setAuthTag(blob.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
    const body = blob.subarray(NONCE_BYTES + TAG_BYTES)
    return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
  }

  /** `<boot_id>.<mac>`: says which boot reports, and that we said so. Good as long as its boot is the current one. */
  reportToken(bootId: string): string {
    return `${bootId}.${this.#mac(bootId).toString('base64url')}`
  }

  /** The boot of a report token, or undefined when we never made it. Compared in constant time. */
  bootIdOf(reportToken: string): string | undefined {
    const dot = reportToken.lastIndexOf('.')
    if (dot <= 0 || reportToken.length > 256) return undefined
    const bootId = reportToken.slice(0, dot)
    const claimed = Buffer.from(reportToken.slice(dot + 1), 'base64url')
    const own = this.#mac(bootId)
    return claimed.length === own.length && timingSafeEqual(claimed, own) ? bootId : undefined
  }

  #mac(bootId: string): Buffer {
    return createHmac('sha256', this.#reporting).update(bootId).digest()
  }
}

/** Writes a file that only this user can read, and syncs it. */
export function writeSecretFile(file: string, content: Buffer | string): void {
  const handle = openSync(file, 'w', 0o600)
  try {
    fchmodSync(handle, 0o600)
    writeSync(handle, Buffer.from(content))
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** Makes the names in a directory, not only the files, safe against a power cut. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
