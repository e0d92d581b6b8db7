import t from 'tap'
import { PortError } from '../../src/servers/port-error.ts'

t.test('EACCES: a port wants a right, a socket file a directory', async (t) => {
  const cause = Object.assign(new Error('no'), { code: 'EACCES' })
  t.match(new PortError('TFTP', '10.77.0.1:69', 'tftp.port', cause), {
    message: 'TFTP cannot listen on 10.77.0.1:69 (EACCES)',
    cure: /need root or CAP_NET_BIND_SERVICE$/,
  })
  t.match(new PortError('the API', '/run/nowhere/api.sock', 'api.listen', cause), {
    cure: 'its directory is to be there, and this user to have write permission in it; or set api.listen',
  })
})
