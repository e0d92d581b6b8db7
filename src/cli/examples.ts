import type { Command } from 'commander'

/** At least one line that can be typed as it stands, for every command that has no help text of its own. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  serve: ['pilotlight serve', 'pilotlight serve --config ./pilotlight.yaml'],
  init: ['pilotlight init --interface eth1', 'pilotlight init --stdout'],
  doctor: ['pilotlight doctor', 'pilotlight doctor --json | jq ".checks[] | select(.ok | not)"'],
  demo: ['pilotlight demo', 'pilotlight demo --simulated --json'],
  'assets install': ['pilotlight assets install', 'pilotlight assets install --from ./ipxe/bin'],
  'machine edit': [
    'pilotlight machine edit node01 --image control-plane',
    'pilotlight machine edit node01 --loader ipxe.pxe',
  ],
  'machine list': ['pilotlight machine list'],
  'machine show': ['pilotlight machine show node01', 'pilotlight machine show 52:54:00:99:00:01 --json'],
  'machine arm': ['pilotlight machine arm node01 --for 2h'],
  'machine hold': ['pilotlight machine hold node01'],
  'machine release': ['pilotlight machine release node01'],
  'machine delete': ['pilotlight machine delete node01'],
  'machine boots': ['pilotlight machine boots node01'],
  'cluster create': ['pilotlight cluster create prod --control-plane 3 --health-ca ca.pem'],
  'cluster set': [
    'pilotlight cluster set prod --control-plane 5 --rearm manual',
    'pilotlight cluster set prod --health-ca new-ca.pem --clear services-api',
  ],
  'cluster credential set': ['pilotlight cluster credential set prod chainfire --file token.txt'],
  'cluster credential drop': ['pilotlight cluster credential drop prod chainfire'],
  'cluster list': ['pilotlight cluster list'],
  'cluster show': ['pilotlight cluster show prod'],
  'cluster arm': ['pilotlight cluster arm prod --for 8h'],
  'cluster wait': ['pilotlight cluster wait prod --timeout 30m || echo "exit code $?"'],
  'image list': ['pilotlight image list'],
  'image show': ['pilotlight image show control-plane'],
  'image verify': ['pilotlight image verify control-plane'],
  'image promote': ['pilotlight image promote control-plane 24.11'],
  'image rollback': ['pilotlight image rollback control-plane'],
  'image retire': ['pilotlight image retire control-plane:24.05'],
  'image gc': ['pilotlight image gc'],
  'event list': ['pilotlight event list --after 0 --limit 50'],
  'lease list': ['pilotlight lease list'],
  backup: ['pilotlight backup /backup/pilotlight-$(date +%F).db'],
  restore: [
    'systemctl stop pilotlight && pilotlight restore /backup/pilotlight.db',
    'pilotlight restore --mark',
  ],
  'token renew': ['systemctl stop pilotlight && pilotlight token renew && systemctl start pilotlight'],
  units: ['pilotlight units ./units'],
  'machine file put': ['pilotlight machine file put node01 etc/rack-position ./rack-position'],
  'machine file list': ['pilotlight machine file list node01'],
  'machine file remove': ['pilotlight machine file remove node01 etc/rack-position'],
  'machine packets': ['pilotlight machine packets node01 --pcap node01.pcap'],
  'cluster check': ['pilotlight cluster check prod'],
  'cluster graph': ['pilotlight cluster graph prod'],
  'cluster iam-password': ['pilotlight cluster iam-password prod'],
  'machine decommission': ['pilotlight machine decommission node01'],
  'machine reprovision': ['pilotlight machine reprovision node01'],
  'cluster founding move': ['pilotlight cluster founding move prod --to node02'],
  'cluster refound': ['pilotlight cluster refound prod --machine node01 --discard-state prod'],
  'cluster unfreeze': ['pilotlight cluster unfreeze prod --as founded'],
  'cluster slot free': ['pilotlight cluster slot free prod chainfire-cluster-join'],
  'cluster member forget': ['pilotlight cluster member forget prod node03.1'],
  'cluster hold': ['pilotlight cluster hold prod'],
  'cluster release': ['pilotlight cluster release prod'],
  'cluster delete': ['pilotlight cluster delete prod'],
  'fleet hold': ['pilotlight fleet hold'],
  'fleet release': ['pilotlight fleet release'],
  explain: ['pilotlight explain node01'],
  'boot show': ['pilotlight boot show 0c5b0b5e-9d0a-4b7e-8a53-6f6f0a3c1d2e'],
}

/** Adds examples to the help of every command under this one. */
export function addExamples(program: Command): void {
  for (const [name, command] of leavesOf(program)) {
    const examples = EXAMPLES[name]
    if (examples !== undefined) command.addHelpText('after', `\nExamples:\n  ${examples.join('\n  ')}`)
  }
}

/** The commands that do something, by the words that call them. */
function* leavesOf(command: Command, words: readonly string[] = []): Generator<readonly [string, Command]> {
  if (command.commands.length === 0) yield [words.join(' '), command]
  for (const inner of command.commands) yield* leavesOf(inner, [...words, inner.name()])
}
