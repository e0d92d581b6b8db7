import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import { serviceHostCheck } from '../../src/cli/doctor-services.ts'

t.test('IAM and the boot port on one host: doctor warns, and says what to do', async (t) => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-doctor-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  t.match(serviceHostCheck(8080, [directory]), { ok: true, detail: 'none on this host' })
  writeFileSync(path.join(directory, 'chainfire.service'), '')
  t.match(serviceHostCheck(8080, [directory]), { ok: true, detail: /^Chainfire; none has port 8080/ })
  writeFileSync(path.join(directory, 'iam.service'), '')
  t.match(serviceHostCheck(8080, [directory]), { ok: false, detail: /IAM.*8080/, cure: /set boot\.port/ })
  t.match(serviceHostCheck(8090, [directory]), { ok: true })
  t.match(serviceHostCheck(2380, [directory]), { ok: false, detail: /Chainfire/ })
})
