import { spawnSync } from 'node:child_process'
import t from 'tap'

const STAND_INS = new URL('../../src/rack/stand-ins', import.meta.url).pathname

// Its state lies in /var/lib: here in a mount of its own, which needs root.
const skip = process.getuid?.() === 0 || process.env.CI === 'true' ? false : 'needs root'

/** Asks the stand-in of Chainfire by its standard input, as socat does for a connection. */
const ASK = `
ask() { # METHOD PATH BODY
  printf '%s %s HTTP/1.1\\r\\nContent-Length: %s\\r\\n\\r\\n%s' "$1" "$2" "\${#3}" "$3" |
    timeout 8 ${STAND_INS}/stand-in-answer chainfire
}
status() { head -n 1 | cut -d ' ' -f 2; }
mount -t tmpfs state /var/lib
mkdir /var/lib/chainfire
newcomer='{"id": "node02", "raft_addr": "10.0.0.2:2380", "voter": true}'
ask POST /cluster/bootstrap '{"member_id": "node01", "raft_addr": "10.0.0.1:2380"}' | status
`

/** Runs a story in a mount and a network namespace of its own, where no other member can be reached. */
function tell(story: string): string[] {
  const { stdout, stderr, status } = spawnSync('unshare', ['-mn', 'bash', '-c', `${ASK}${story}`], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the story ended with ${status}: ${stderr}`)
  return stdout.trim().split('\n')
}

t.test('a group that cannot reach a newcomer stays as it was', { skip }, async (t) => {
  const said = tell(`
    ask POST /cluster/members "$newcomer" | status
    ask GET /cluster/members '' | tail -n 1
  `)
  t.strictSame(said.slice(0, 2), ['201', '503'])
  const { members } = JSON.parse(said[2] ?? '') as { members: { id: string; leader: boolean }[] }
  t.match(members, [{ id: 'node01', leader: true }])
  t.equal(members.length, 1)
})

t.test('who hangs up before the answer keeps nobody after him waiting', { skip }, async (t) => {
  const said = tell(`
    ask POST /cluster/members "$newcomer" | true
    ask POST /cluster/members "$newcomer" | status
  `)
  t.strictSame(said, ['201', '503'])
})
