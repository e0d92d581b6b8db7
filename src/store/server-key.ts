import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** The key in `data_dir` does not fit what was sealed with it; nothing was changed. */
export class ServerKeyUnusable extends Error {
  readonly code = 'server-key-unusable'
  readonly cure =
    "put this server's own server.key back, from where it was copied to; the runbook, Backup, has what to do without one"
}

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
    const found = ServerKey.find(dataDir)
    if (found !== undefined) return found
    const key = randomBytes(KEY_BYTES)
    writeSecretFile(fileIn(dataDir), key)
    return new ServerKey(key)
  }

  /** @throws ServerKeyUnusable */
  static find(dataDir: string): ServerKey | undefined {
    const file = fileIn(dataDir)
    if (!existsSync(file)) return undefined
    const key = readFileSync(file)
    if (key.length === KEY_BYTES) return new ServerKey(key)
    throw new ServerKeyUnusable(
      `${file} has ${key.length} bytes, want ${KEY_BYTES}: restore it from the backup`,
    )
  }

  /**
   * The key for a database that holds these sealed blobs; a new one is made only where there are none.
   *
   * @throws ServerKeyUnusable
   */
  static for(sealed: readonly Buffer[], dataDir: string): ServerKey {
    if (sealed.length === 0) return ServerKey.at(dataDir)
    const key = ServerKey.find(dataDir)
    const file = fileIn(dataDir)
    if (key === undefined) {
      throw new ServerKeyUnusable(`${file} is missing, and secrets in the database are sealed with it`)
    }
    if (sealed.some((blob) => key.#opens(blob))) return key
    throw new ServerKeyUnusable(`${file} is another key than the secrets in the database are sealed with`)
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

  #opens(blob: Buffer): boolean {
    try {
      this.unseal(blob)
      return true
    } catch {
      return false
    }
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

function fileIn(dataDir: string): string {
  return path.join(dataDir, 'server.key')
}

/** Writes a file that only this user can read, whole or not at all, and syncs it. */
export function writeSecretFile(file: string, content: Buffer | string): void {
  const fresh = `${file}.new`
  try {
    writeAndSync(fresh, Buffer.from(content))
    renameSync(fresh, file)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
  syncDirectory(path.dirname(file))
}

function writeAndSync(file: string, content: Buffer): void {
  const handle = openSync(file, 'w', 0o600)
  try {
    fchmodSync(handle, 0o600)
    writeSync(handle, content)
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
