import type { Command } from 'commander'
import t from 'tap'
import { makeProgram } from '../../src/cli/program.ts'

/** The commands that do something, by the words that call them. */
function* leavesOf(command: Command, words: readonly string[] = []): Generator<readonly [string, Command]> {
  if (command.commands.length === 0) yield [words.join(' '), command]
  for (const inner of command.commands) yield* leavesOf(inner, [...words, inner.name()])
}

/** What `--help` prints. */
function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
  })
  command.outputHelp()
  return text
}

t.test('every command’s help has an example that calls it, with options that it has', async (t) => {
  const commands = [...leavesOf(makeProgram())]
  t.ok(commands.length >= 45, `${commands.length} commands`)
  for (const [name, command] of commands) {
    const [, after = ''] = helpOf(command).split(/\nExamples?:\n/)
    const examples = after.split('\n').filter((line) => new RegExp(`\\bpilotlight ${name}(?: |$)`).test(line))
    t.ok(examples.length > 0, `${name}: add one to src/cli/examples.ts`)
    const known = command.options.flatMap(({ long, short }) => [long, short])
    for (const example of examples) {
      const call = example.split(/ [|&]/)[0] ?? ''
      const unknown = [...call.matchAll(/ (--?[a-z][a-z-]*)/g)].filter(([, flag]) => !known.includes(flag))
      t.same(
        unknown.map(([, flag]) => flag),
        [],
        example.trim(),
      )
    }
  }
})
