import { EXIT } from './cli/exit-codes.ts'
import { failWith } from './cli/failure.ts'
import { makeProgram } from './cli/program.ts'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever read the output has seen enough: `| head` is no fault. A command that has things to take down at Ctrl-C
  // takes them down now.
  if (error.code !== 'EPIPE') throw error
  if (process.listenerCount('SIGINT') === 0) process.exit()
  process.kill(process.pid, 'SIGINT')
})

try {
  await makeProgram().parseAsync()
} catch (error) {
  const { code, exitCode } = error as { code?: string; exitCode?: number }
  if (code?.startsWith('commander.') === true) process.exitCode = exitCode === 0 ? EXIT.done : EXIT.usage
  else failWith(error)
}
