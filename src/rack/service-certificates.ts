import { generateKeyPairSync, randomBytes } from 'node:crypto'
import forge from 'node-forge'

/** A CA of a rack's own, and one certificate that its machines' stand-in services share; all PEM. */
export interface ServiceCertificates {
  readonly caPem: string
  readonly keyPem: string
  readonly certPem: string
}

const DAYS = 3650
const DNS = 2
const IP = 7

/** Makes a CA, and a server certificate for localhost and the given addresses. For demos and tests only. */
export function makeServiceCertificates(addresses: readonly string[]): ServiceCertificates {
  const caKeys = rsaKeys()
  const ca = certificateFor(caKeys.publicKey, [{ name: 'commonName', value: 'Pilotlight rack CA' }])
  ca.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ])
  ca.setIssuer(ca.subject.attributes)
  ca.sign(caKeys.privateKey, forge.md.sha256.create())

  const keys = rsaKeys()
  const leaf = certificateFor(keys.publicKey, [{ name: 'commonName', value: 'Pilotlight stand-in services' }])
  leaf.setIssuer(ca.subject.attributes)
  leaf.setExtensions([
    { name: 'basicConstraints', cA: false },
    { name: 'extKeyUsage', serverAuth: true },
    {
      name: 'subjectAltName',
      altNames: [
        { type: DNS, value: 'localhost' },
        ...['127.0.0.1', ...addresses].map((ip) => ({ type: IP, ip })),
      ],
    },
  ])
  leaf.sign(caKeys.privateKey, forge.md.sha256.create())
  return {
    caPem: forge.pki.certificateToPem(ca),
    certPem: forge.pki.certificateToPem(leaf),
    keyPem: keys.privatePem,
  }
}

function certificateFor(
  publicKey: forge.pki.PublicKey,
  subject: forge.pki.CertificateField[],
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = publicKey
  certificate.serialNumber = `01${randomBytes(15).toString('hex')}`
  // A machine whose clock is a day behind must still believe it.
  certificate.validity.notBefore = new Date(Date.now() - 24 * 3600 * 1000)
  certificate.validity.notAfter = new Date(Date.now() + DAYS * 24 * 3600 * 1000)
  certificate.setSubject(subject)
  return certificate
}

function rsaKeys() {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return {
    publicKey: forge.pki.publicKeyFromPem(pair.publicKey),
    privateKey: forge.pki.privateKeyFromPem(pair.privateKey),
    privatePem: pair.privateKey,
  }
}
