import t from 'tap'
import { unpackedPackages } from '../../support/debian-programs.ts'
import { ClientWorld, skipWithout } from '../../support/dhcp-client-world.ts'
import { inside } from '../../support/dhcp-netns.ts'

t.test(
  "Kea's perfdhcp finds every exchange answered",
  { skip: skipWithout(), timeout: 90_000 },
  async (t) => {
    const root = await unpackedPackages([
      'kea-admin',
      'kea-common',
      'liblog4cplus-2.0.5',
      'libmariadb3',
      'libpq5',
    ])
    const world = await ClientWorld.start(t)
    inside(world.clientSide, 'ip', 'address', 'add', '10.88.0.2/24', 'dev', 'c0')
    const program = world.namespaces.start(world.clientSide, [
      ...['env', `LD_LIBRARY_PATH=${root}/usr/lib/x86_64-linux-gnu`, `${root}/usr/sbin/perfdhcp`, '-4'],
      ...[
        '-l',
        '10.88.0.2',
        '-r',
        '20',
        '-n',
        '40',
        '-R',
        '1',
        '-b',
        'mac=02:00:00:00:00:03',
        '-W',
        '2000000',
        '10.88.0.1',
      ],
    ])
    await program.ended()
    const counts = (words: string) =>
      [...program.text.matchAll(new RegExp(`^${words}: (\\d+)`, 'gm'))].map(([, digits]) => Number(digits))
    const [discovers = 0, requests] = counts('sent packets')
    t.ok(discovers >= 40, `${discovers} exchanges\n${program.text}`)
    t.equal(requests, discovers)
    t.strictSame(counts('received packets'), [discovers, discovers])
  },
)
