import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { downloadByTftp } from '../../../src/sim/tftp-download.ts'
import { BadLine } from '../../support/bad-line.ts'
import { clientAddress, serveTftp, sha256, TFTP_SERVER } from '../../support/tftp-world.ts'

const run = promisify(execFile)

const MOST_TRIES = 10

/**
 * Runs a client, again where it gives up at an OACK that comes twice: atftp does, and an OACK comes twice when the line
 * doubles it, and when a busy machine lets its answer wait for a second. Anything else that it says is a failure.
 */
async function runClient(program: string, args: readonly string[], cwd: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await run(program, args, { cwd, timeout: 100_000 })
      return
    } catch (error) {
      const { stderr = '' } = error as { stderr?: string }
      if (tries === MOST_TRIES || !stderr.includes('tftp: unexpected OACK')) throw error
    }
  }
}

for (const percent of [0, 1, 5]) {
  t.test(
    `${percent}% lost, ${percent}% twice, ${percent}% late, ${percent}% out of order: every transfer arrives bit for bit`,
    { timeout: 120_000 },
    async (t) => {
      const world = await serveTftp(
        t,
        { a: percent === 5 ? 30_000 : 100_000, small: 5000 },
        { workers: 1, sessionsPerAddress: 0, requestsPerSecond: 0 },
      )
      const chances = {
        lossPercent: percent,
        duplicatePercent: percent,
        delayPercent: percent,
        reorderPercent: percent,
      }
      const line = new BadLine(
        { address: TFTP_SERVER, port: world.port },
        clientAddress(90),
        chances,
        7 + percent,
      )
      const port = await line.start()
      t.teardown(() => line.close())
      const wanted = sha256(world.files.get('a') ?? Buffer.alloc(0))
      const directory = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-line-'))
      t.teardown(() => rmSync(directory, { recursive: true, force: true }))

      const ours = [1, 1, 2, 4, 8, 16, 16, 16].map(async (window, n) => {
        const wish = {
          server: clientAddress(90),
          port,
          file: 'a',
          localAddress: clientAddress(n),
          window,
          blockBytes: 1432,
          timeoutMs: 100_000,
        }
        t.equal(sha256(await downloadByTftp(wish)), wanted, `a window of ${window}`)
      })
      const theirs = [
        ['curl', '-sS', '-o', 'curl', '--tftp-blksize', '1432', `tftp://${clientAddress(90)}:${port}/small`],
        [
          'atftp',
          '--option',
          'windowsize 8',
          '--option',
          'blksize 1432',
          '--get',
          '-r',
          'a',
          '-l',
          'atftp',
          clientAddress(90),
          `${port}`,
        ],
        ['busybox', 'tftp', '-g', '-b', '1432', '-r', 'a', '-l', 'busybox', clientAddress(90), `${port}`],
      ].map(async ([program = '', ...args]) => {
        await runClient(program, args, directory)
        // curl waits 6 s and more for each packet that is lost: it gets a smaller file.
        const file = world.files.get(program === 'curl' ? 'small' : 'a') ?? Buffer.alloc(0)
        t.equal(sha256(readFileSync(path.join(directory, program))), sha256(file), program)
      })
      await Promise.all([...ours, ...theirs])
      if (percent > 0)
        t.ok(
          Object.values(line.done).every((count) => count > 0),
          JSON.stringify(line.done),
        )
      t.comment(JSON.stringify(line.done))
    },
  )
}
