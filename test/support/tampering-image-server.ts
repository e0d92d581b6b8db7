import { createReadStream, statSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'

/**
 * An image server that is not ours and not right, as a program of its own; arguments: directory, address, port.
 * To 10.77.0.11 it breaks the squashfs off half-way, once; to 10.77.0.12 it sends one wrong byte of it; 10.77.0.13 gets
 * 404 for it. All else it sends as it is. Each request is a line on its output.
 */
const [directory = '', host = '', port = ''] = process.argv.slice(2)
const broken = new Set<string>()

const server = http.createServer((request, response) => {
  const address = request.socket.remoteAddress ?? ''
  const name = path.basename(request.url ?? '')
  const file = path.join(directory, name)
  const { range } = request.headers
  console.log(`${address} ${name} ${range ?? 'whole'}`)
  const { size } = statSync(file)
  const isRoot = name === 'root.squashfs'
  if (isRoot && address === '10.77.0.13') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('no such file\n')
    return
  }
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
  const part = { 'content-range': `bytes ${start}-${size - 1}/${size}` }
  response.writeHead(start === 0 ? 200 : 206, {
    'content-length': size - start,
    ...(start === 0 ? {} : part),
  })
  const half = Math.floor(size / 2)
  if (isRoot && address === '10.77.0.11' && !broken.has(address)) {
    broken.add(address)
    const firstHalf = createReadStream(file, { end: half })
    // However slow the machine reads: it gets all of that half before the connection ends.
    const hangUp = () => {
      if (response.writableLength === 0) response.destroy()
      else setTimeout(hangUp, 20)
    }
    firstHalf.pipe(response, { end: false })
    firstHalf.on('end', hangUp)
  } else if (isRoot && address === '10.77.0.12') {
    createReadStream(file, { end: half - 1 })
      .on('data', (chunk) => response.write(chunk))
      .on('end', () => {
        response.write(Buffer.from('!'))
        createReadStream(file, { start: half + 1 }).pipe(response)
      })
  } else createReadStream(file, { start }).pipe(response)
})
server.listen(Number(port), host, () => console.log('listening'))
