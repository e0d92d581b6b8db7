import { once } from 'node:events'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import t from 'tap'
import { FIRST_BOOT, NodeWorld } from './support/node-world.ts'

/** A server that answers reports with the statuses of a list, one each, and 200 after that. */
async function reportServer(statuses: number[]) {
  const received: { step: string; state: string; sequence: number; reason: string }[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const status = statuses.shift() ?? 200
      if (status === 200) received.push(...JSON.parse(Buffer.concat(chunks).toString()).reports)
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { received, url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

/** A node with a configuration, whose scripts read `lib.sh` and then run `commands`. */
async function nodeThatRuns(url: string, commands: string) {
  const world = await NodeWorld.create('127.0.0.1', [])
  await mkdir(path.join(world.directory, 'run'))
  await writeFile(path.join(world.directory, 'run', 'report-auth'), 'Authorization: Bearer t\n')
  await writeFile(
    path.join(world.directory, 'run', 'boot.env'),
    `BOOT_ID='b1'\nREPORT_URL='${url}/reports'\nGATE_URL='${url}/gates'\n`,
  )
  await writeFile(path.join(world.directory, 'bin', 'sleep'), '#!/bin/sh\nexit 0\n', { mode: 0o755 })
  const script = path.join(world.directory, 'story.sh')
  await writeFile(script, `. ${FIRST_BOOT}/lib.sh\nload_boot\n${commands}\n`)
  const run = () => world.run(path.relative(FIRST_BOOT, script))
  const queued = async () =>
    (await readdir(path.join(world.directory, 'run', 'queue'))).filter((name) => name.endsWith('.json'))
  return { world, run, queued }
}

t.test('reports made while the server is away arrive later, in order, each once', async (t) => {
  const server = await reportServer([503, 401, 500])
  const node = await nodeThatRuns(
    server.url,
    'report s started\nreport s waiting no-leader\nreport s progress\nreport s succeeded\ndeliver_all',
  )
  t.teardown(() => node.world.destroy().then(server.close))
  const { code, output } = await node.run()
  t.equal(code, 0, output)
  t.strictSame(
    server.received.map((report) => [report.sequence, report.state]),
    [
      [1, 'started'],
      [2, 'waiting'],
      [3, 'progress'],
      [4, 'succeeded'],
    ],
  )
  t.strictSame(await node.queued(), [])
})

t.test('with no server at all, and with 401, the queue stays', async (t) => {
  const gone = await nodeThatRuns('http://127.0.0.1:9', 'report s started\nreport s failed no-health')
  t.teardown(() => gone.world.destroy())
  t.equal((await gone.run()).code, 0)
  t.strictSame(await gone.queued(), ['000001.json', '000002.json'])

  const server = await reportServer([401, 401])
  const refused = await nodeThatRuns(server.url, 'report s started\nreport s failed no-health')
  t.teardown(() => refused.world.destroy().then(server.close))
  t.equal((await refused.run()).code, 0)
  t.strictSame(await refused.queued(), ['000001.json', '000002.json'])
})

t.test('409 means that another boot counts: the queue is dropped and the script ends with 3', async (t) => {
  const server = await reportServer([503, 409])
  const node = await nodeThatRuns(server.url, 'report s started\nreport s progress\necho not reached')
  t.teardown(() => node.world.destroy().then(server.close))
  const { code, output } = await node.run()
  t.equal(code, 3)
  t.notMatch(output, /not reached/)
  t.strictSame(await node.queued(), [])
})

t.test('422 drops the one report that the server cannot read', async (t) => {
  const server = await reportServer([422])
  const node = await nodeThatRuns(server.url, 'report s started\nreport s succeeded')
  t.teardown(() => node.world.destroy().then(server.close))
  t.equal((await node.run()).code, 0)
  t.strictSame(
    server.received.map((report) => report.sequence),
    [2],
  )
})

t.test('a second script of the same boot goes on with the numbers of the first', async (t) => {
  const server = await reportServer([])
  const node = await nodeThatRuns(server.url, 'report s started')
  t.teardown(() => node.world.destroy().then(server.close))
  await node.run()
  await node.run()
  t.strictSame(
    server.received.map((report) => report.sequence),
    [1, 2],
  )
})

t.test('reasons with quotes, newlines and shell syntax stay text', async (t) => {
  const server = await reportServer([])
  const node = await nodeThatRuns(
    server.url,
    `report s failed "a \\"quoted\\" 'reason' \\$(touch pwned) \\\`id\\\` \\\\ 100%"`,
  )
  t.teardown(() => node.world.destroy().then(server.close))
  t.equal((await node.run()).code, 0)
  t.equal(server.received[0]?.reason, `a "quoted" 'reason' $(touch pwned) \`id\` \\ 100%`)
  t.notOk((await readdir(node.world.directory)).includes('pwned'))
})
