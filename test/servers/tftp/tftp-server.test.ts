import t from 'tap'
import { downloadByTftp, TftpRefused } from '../../../src/sim/tftp-download.ts'
import { ackPacket, errorPacket, readRequestPacket } from '../../../src/tftp/packet.ts'
import { SKIP_PORT_0, sendFromPort0 } from '../../support/port-0.ts'
import { clientAddress, RawClient, serveTftp, sha256, TFTP_SERVER } from '../../support/tftp-world.ts'

const HOSTS = [
  ['in the main thread', { workers: 0 }],
  ['in threads', { workers: 2 }],
  ['through the one port', { singlePort: true }],
] as const

for (const [where, limits] of HOSTS) {
  t.test(`transfers ${where}`, async (t) => {
    t.test('every block size and window brings the file bit for bit', async (t) => {
      const world = await serveTftp(t, { a: 74_213, multiple: 5120, empty: 0, one: 1 }, limits)
      for (const [file, bytes] of world.files) {
        for (const [blockBytes, window] of [
          [512, 1],
          [1432, 1],
          [1468, 16],
          [8, 16],
          [1024, 4],
        ] as const) {
          if (file === 'a' && blockBytes === 8 && limits === HOSTS[0][1]) continue
          const wish = {
            server: TFTP_SERVER,
            port: world.port,
            file,
            localAddress: clientAddress(1),
            blockBytes,
            window,
          }
          const got = await downloadByTftp(wish)
          t.equal(sha256(got), sha256(bytes), `${file} by ${blockBytes}, window ${window}`)
        }
      }
      await world.untilEnded(limits === HOSTS[0][1] ? 19 : 20)
      t.strictSame([...new Set(world.ended.map(({ end }) => end.kind))], ['sent'])
      t.equal(world.server.transfers, 0)
    })

    t.test('§6: a transfer has one port, and a stranger on it gets ERROR 5 while it goes on', async (t) => {
      const world = await serveTftp(t, { a: 2000 }, limits)
      const client = await RawClient.open(t)
      client.request(world.port, 'a')
      t.match(await client.next(), { kind: 'data', block: 1 })
      const port = client.peerPort
      if ('singlePort' in limits) t.equal(port, world.port)
      else {
        t.not(port, world.port)
        const stranger = await RawClient.open(t, clientAddress(2))
        stranger.send(ackPacket(1), port)
        t.match(await stranger.next(), { kind: 'error', code: 5 })
        stranger.send(errorPacket(0, 'go away'), port)
        t.strictSame(await stranger.within(50), [], 'an ERROR is never answered by an ERROR')
      }
      client.send(ackPacket(1), port)
      t.match(await client.next(), { kind: 'data', block: 2 })
      t.equal(client.peerPort, port)
    })

    t.test(
      'what comes together with the end of a transfer is left unanswered, and harms nobody',
      async (t) => {
        const world = await serveTftp(t, { a: 2000 }, limits)
        const client = await RawClient.open(t)
        client.request(world.port, 'a')
        t.match(await client.next(), { kind: 'data', block: 1 })
        const stranger = await RawClient.open(t, clientAddress(2))
        // Sent in one go: the server finds both in the transfer's socket, in this order.
        client.send(errorPacket(0, 'enough'), client.peerPort)
        stranger.send(ackPacket(1), client.peerPort)
        client.send(ackPacket(1), client.peerPort)
        await world.untilEnded(1)
        t.match(world.ended, [{ end: { kind: 'probe' } }])
        t.strictSame(await client.within(50), [])
        client.request(world.port, 'a')
        t.match(await client.next(), { kind: 'data', block: 1 }, 'the next transfer')
      },
    )

    t.test('§6: EDK2 probes, aborts with ERROR 8 and asks again: no failure, no resend', async (t) => {
      const world = await serveTftp(t, { a: 2000 }, limits)
      const client = await RawClient.open(t)
      client.request(world.port, 'a', { tsize: '0', blksize: '1468', windowsize: '4' })
      t.strictSame(await client.next(), {
        kind: 'oack',
        options: new Map([
          ['tsize', '2000'],
          ['blksize', '1468'],
          ['windowsize', '4'],
        ]),
      })
      client.send(errorPacket(8, 'User aborted the transfer'), client.peerPort)
      client.request(world.port, 'a', { blksize: '1468', windowsize: '4' })
      t.match(await client.next(), { kind: 'oack' })
      client.send(ackPacket(0), client.peerPort)
      t.match(await client.next(), { kind: 'data', block: 1 })
      t.match(await client.next(), { kind: 'data', block: 2 })
      client.send(ackPacket(2), client.peerPort)
      await world.untilEnded(2)
      t.strictSame(
        world.ended.map(({ end, resends }) => [end.kind, resends]),
        [
          ['probe', 0],
          ['sent', 0],
        ],
      )
    })

    t.test('§6: the same request again is answered again, another one begins another transfer', async (t) => {
      const world = await serveTftp(t, { a: 2000, b: 3000 }, limits)
      const client = await RawClient.open(t)
      client.request(world.port, 'a', { tsize: '0' })
      t.match(await client.next(), { kind: 'oack', options: new Map([['tsize', '2000']]) })
      const port = client.peerPort
      client.request(world.port, 'a', { tsize: '0' })
      t.match(await client.next(), { kind: 'oack', options: new Map([['tsize', '2000']]) })
      t.equal(client.peerPort, port, 'from the same port')
      t.equal(world.server.transfers, 1)
      client.request(world.port, 'b', { tsize: '0' })
      t.match(
        await client.next(),
        { kind: 'oack', options: new Map([['tsize', '3000']]) },
        'and no ERROR of the old one before it: iPXE would take that for the answer',
      )
      t.equal(world.server.transfers, 1)
      t.strictSame(await client.within(100), [])
    })

    t.test('a silent client is asked again', async (t) => {
      const world = await serveTftp(t, { a: 2000 }, limits)
      const client = await RawClient.open(t)
      client.request(world.port, 'a', { timeout: '1' })
      t.match(await client.next(), { kind: 'oack' })
      t.match(await client.next(), { kind: 'oack' }, 'after its own second')
      client.send(errorPacket(0, 'TFTP Aborted'), client.peerPort)
    })

    t.test('a stop tells those who wait, within its time', async (t) => {
      const world = await serveTftp(t, { a: 2000 }, limits)
      const client = await RawClient.open(t)
      client.request(world.port, 'a')
      t.match(await client.next(), { kind: 'data' })
      await world.server.stop(50)
      t.match(await client.next(), { kind: 'error', code: 0, message: 'the server stops' })
      t.match(world.ended, [{ end: { kind: 'aborted' } }])
      // What the teardown stops is stopped already.
      Object.assign(world.server, { stop: async () => undefined })
    })
  })
}

t.test('each refusal has its code, and comes at once', async (t) => {
  const world = await serveTftp(t, { a: 10 })
  const cases: readonly [what: string, packet: string, code: number][] = [
    ['not there', '\0\x01nothing\0octet\0', 1],
    ['WRQ', '\0\x02a\0octet\0', 2],
    ['climbing', '\0\x01../../etc/passwd\0octet\0', 2],
    ['climbing with backslashes', '\0\x01..\\..\\etc\\passwd\0octet\0', 2],
    ['percent', '\0\x01%2e%2e%2fetc%2fpasswd\0octet\0', 2],
    ['control byte', '\0\x01a\x01\0octet\0', 2],
    ['no name', '\0\x01\0octet\0', 2],
    ['mail', '\0\x01a\0mail\0', 4],
    ['no NUL', '\0\x01a\0octet', 4],
    ['a long name', `\0\x01${'x'.repeat(300)}\0octet\0`, 4],
  ]
  for (const [what, packet, code] of cases) {
    const client = await RawClient.open(t)
    client.send(Buffer.from(packet, 'latin1'), world.port)
    t.match(await client.next(), { kind: 'error', code }, what)
    t.not(client.peerPort, world.port, 'from a port of its own, as iPXE wants it')
  }
  t.strictSame(world.asked, ['nothing'], 'a hostile name is not even looked up')
})

t.test('what may itself be an answer is never answered', async (t) => {
  const world = await serveTftp(t, { a: 10 })
  const client = await RawClient.open(t)
  for (const packet of [
    '\0\x03\0\x01xx',
    '\0\x04\0\x01',
    '\0\x05\0\x01no\0',
    '\0\x06a\0b\0',
    '\0\x07',
    '',
    '\xff\xff\xff\xff\xff',
  ]) {
    client.send(Buffer.from(packet, 'latin1'), world.port)
  }
  t.strictSame(await client.within(100), [])
  t.match(Object.fromEntries(world.server.counters), { 'stray-packet': 4, 'not-tftp': 3 })
})

for (const [where, limits] of HOSTS)
  t.test(
    `a datagram from port 0, where nothing can be sent, is dropped: ${where}`,
    { skip: SKIP_PORT_0 },
    async (t) => {
      const world = await serveTftp(t, { a: 2000 }, limits)
      const client = await RawClient.open(t)
      client.request(world.port, 'a')
      t.match(await client.next(), { kind: 'data', block: 1 })
      const hostile = [
        readRequestPacket('a', new Map()),
        readRequestPacket('none', new Map()),
        Buffer.from('00020000', 'hex'),
      ]
      for (const port of new Set([world.port, client.peerPort]))
        for (const bytes of hostile) await sendFromPort0(clientAddress(2), TFTP_SERVER, port, bytes)
      client.send(ackPacket(1), client.peerPort)
      t.match(await client.next(), { kind: 'data', block: 2 })
      while ((world.server.counters.get('no-source-port') ?? 0) < 3)
        await new Promise((resolve) => setTimeout(resolve, 5))
      const other = await RawClient.open(t, clientAddress(3))
      other.request(world.port, 'a')
      t.match(await other.next(), { kind: 'data', block: 1 }, 'and others are served as before')
    },
  )

t.test('who is in no served subnet gets not one byte', async (t) => {
  const world = await serveTftp(
    t,
    { a: 10 },
    {},
    { admits: (address) => (address === clientAddress(1) ? 'yes' : 'no') },
  )
  const stranger = await RawClient.open(t, clientAddress(2))
  stranger.request(world.port, 'a')
  stranger.request(world.port, 'nothing')
  t.strictSame(await stranger.within(50), [])
  const client = await RawClient.open(t, clientAddress(1))
  client.request(world.port, 'a')
  t.match(await client.next(), { kind: 'data' })
})

t.test(
  'limits: so many transfers at once in all and of one address, and none where many share it',
  async (t) => {
    const world = await serveTftp(t, { a: 5000 }, { sessions: 3, sessionsPerAddress: 2 })
    const ask = async (n: number) => {
      const client = await RawClient.open(t, clientAddress(n))
      client.request(world.port, 'a')
      return client.next()
    }
    t.match(await ask(1), { kind: 'data' })
    t.match(await ask(1), { kind: 'data' })
    t.match(await ask(1), { kind: 'error', code: 0, message: /too many/ })
    t.match(await ask(2), { kind: 'data' })
    t.match(await ask(3), { kind: 'error', code: 0 }, 'in all')

    const shared = await serveTftp(
      t,
      { a: 5000 },
      { sessionsPerAddress: 1, requestsPerSecond: 1 },
      { admits: () => 'many-behind-it' },
    )
    for (let n = 0; n < 5; n += 1) {
      const client = await RawClient.open(t)
      client.request(shared.port, 'a')
      t.match(await client.next(), { kind: 'data' })
    }
  },
)

t.test('limits: an address that floods is not answered any more in that second', async (t) => {
  const world = await serveTftp(t, { a: 10 }, { requestsPerSecond: 5 })
  const client = await RawClient.open(t)
  for (let n = 0; n < 50; n += 1) client.request(world.port, `nothing-${n}`)
  const answers = await client.within(200)
  t.ok(answers.length >= 5 && answers.length <= 10, `${answers.length} answers`)
  t.ok((world.server.counters.get('rate-limited') ?? 0) >= 40)
})

t.test('the window and block size of the configuration are the largest', async (t) => {
  const world = await serveTftp(t, { a: 500_000 }, { maxWindow: 4, maxBlockBytes: 20_000 })
  const client = await RawClient.open(t)
  client.request(world.port, 'a', { windowsize: '64', blksize: '65464' })
  t.match(await client.next(), {
    options: new Map([
      ['windowsize', '4'],
      ['blksize', '20000'],
    ]),
  })
  client.send(ackPacket(0), client.peerPort)
  for (const block of [1, 2, 3, 4]) t.match(await client.next(), { kind: 'data', block })
  t.strictSame(await client.within(50), [])
})

t.test('block numbers roll over in a file of more than 32 MiB by 512', { timeout: 120_000 }, async (t) => {
  const world = await serveTftp(t, { big: 33 * 1024 * 1024 }, { workers: 1 })
  const got = await downloadByTftp({
    server: TFTP_SERVER,
    port: world.port,
    file: 'big',
    localAddress: clientAddress(1),
    blockBytes: 512,
    window: 16,
    timeoutMs: 110_000,
  })
  t.equal(sha256(got), sha256(world.files.get('big') ?? Buffer.alloc(0)))
})

t.test('a thread that dies takes its transfers with it, and is replaced', async (t) => {
  const { TransferWorkers } = await import('../../../src/servers/tftp/transfer-workers.ts')
  const deaths: unknown[] = []
  const workers = new TransferWorkers({
    localAddress: TFTP_SERVER,
    count: 1,
    cacheBytes: 1_000_000,
    onDeath: (error) => deaths.push(error),
  })
  t.teardown(() => workers.close())
  const client = await RawClient.open(t)
  const to = { address: clientAddress(1), port: client.socket.address().port }
  const terms = { blockBytes: 512, window: 1, timeoutMs: 1000, accepted: new Map() }
  const doomed = workers.begin({ to, fileBytes: Buffer.alloc(600), terms })
  t.match(await client.next(), { kind: 'data' })
  // An order that no thread can carry out: structured clones of it have no port.
  const broken = workers.begin({ to: { ...to, port: 99_999 }, fileBytes: Buffer.alloc(10), terms })
  t.match(await broken.ended, { end: { kind: 'aborted' } })
  t.match(await doomed.ended, { end: { kind: 'aborted' } })
  t.equal(deaths.length, 1)
  const next = workers.begin({ to, fileBytes: Buffer.alloc(10), terms })
  t.match(await client.next(), { kind: 'data', block: 1 })
  client.send(ackPacket(1), client.peerPort)
  t.match(await next.ended, { end: { kind: 'sent' } })
})

t.test(
  'threads come with the transfers that need them, and go when they have had none for a while',
  async (t) => {
    const { TransferWorkers } = await import('../../../src/servers/tftp/transfer-workers.ts')
    const workers = new TransferWorkers({
      localAddress: TFTP_SERVER,
      count: 2,
      cacheBytes: 1_000_000,
      onDeath: (error) => t.fail(String(error)),
      idleMs: 200,
    })
    t.teardown(() => workers.close())
    t.equal(workers.size, 0)
    const client = await RawClient.open(t)
    const to = { address: clientAddress(1), port: client.socket.address().port }
    const terms = { blockBytes: 512, window: 1, timeoutMs: 1000, accepted: new Map() }
    const fetched = async () => {
      const { ended } = workers.begin({ to, fileBytes: Buffer.alloc(10), terms })
      t.match(await client.next(), { kind: 'data', block: 1 })
      client.send(ackPacket(1), client.peerPort)
      return (await ended).end.kind
    }
    t.equal(await fetched(), 'sent')
    t.equal(await fetched(), 'sent')
    t.equal(workers.size, 1, 'one after the other needs one')
    const unheard = { address: clientAddress(2), port: to.port }
    const three = [1, 2, 3].map(() => workers.begin({ to: unheard, fileBytes: Buffer.alloc(10), terms }))
    t.equal(workers.size, 2, 'no more than there may be')
    for (const { abort } of three) abort('enough')
    await Promise.all(three.map(({ ended }) => ended))
    while (workers.size > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    t.equal(await fetched(), 'sent', 'and comes again')
  },
)

t.test('a file that is not there is an error that the client sees with its code', async (t) => {
  const world = await serveTftp(t, {})
  const wish = { server: TFTP_SERVER, port: world.port, file: 'none', localAddress: clientAddress(1) }
  await t.rejects(downloadByTftp(wish), new TftpRefused(1, 'file not found'))
})
