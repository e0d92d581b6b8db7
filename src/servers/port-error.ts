/** A port or socket file that cannot be listened on, with what to do about it. */
export class PortError extends Error {
  readonly code = 'port-unavailable'
  readonly cure: string

  /** @param key the key of the configuration that names the port. */
  constructor(what: string, where: string, key: string, cause: unknown) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause)
    super(`${what} cannot listen on ${where} (${why})`, { cause })
    this.cure = cureFor(why, key, where.startsWith('/'))
  }
}

function cureFor(why: string, key: string, isFile: boolean): string {
  switch (why) {
    case 'EACCES':
      // Of a directory that is not there Node says EACCES too.
      return isFile
        ? `its directory is to be there, and this user to have write permission in it; or set ${key}`
        : 'ports under 1024 need root or CAP_NET_BIND_SERVICE'
    case 'EADDRINUSE':
      return `another program has it (is pilotlight serving already?): stop that one, or set ${key}`
    case 'ENOTSOCK':
      return `what lies there is no socket, and is left as it is: move it away, or set ${key}`
    case 'EADDRNOTAVAIL':
      return 'no interface has this address; correct "interface" or "server_address", or bring the link up'
    default:
      return `see the cause, or set ${key}`
  }
}
