import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { listen } from '../../../src/servers/http/listen.ts'

function directory(t: Test): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'pilotlight-listen-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function open(t: Test, file: string): Promise<void> {
  const server = fastify()
  t.teardown(() => server.close())
  await listen(server, 'the API', 'api.listen', { path: file })
}

t.test('a file that is no socket is left as it is, and told of', async (t) => {
  const dir = directory(t)
  const file = path.join(dir, 'notes.txt')
  writeFileSync(file, 'an operator wrote this')
  const link = path.join(dir, 'link')
  symlinkSync(file, link)
  for (const taken of [file, link, dir]) {
    await t.rejects(open(t, taken), {
      message: `the API cannot listen on ${taken} (ENOTSOCK)`,
      cure: 'what lies there is no socket, and is left as it is: move it away, or set api.listen',
    })
  }
  t.equal(readFileSync(file, 'utf8'), 'an operator wrote this')
  t.ok(existsSync(link))
})

t.test('a socket that somebody answers at is left to that one', async (t) => {
  const file = path.join(directory(t), 'api.sock')
  await open(t, file)
  await t.rejects(open(t, file), { message: `the API cannot listen on ${file} (EADDRINUSE)` })
  const socket = net.connect(file)
  await once(socket, 'connect')
  socket.destroy()
})
