// Plain old JavaScript, as start.js is: keeps what Node made of the sources, their types taken out and compiled, for the
// next start. That is quicker then, and threads need no compiler of TypeScript, 15 MiB each.
//
// Only in a directory of this user's own that nobody else can write to, since what lies there is run: systemd's
// `CACHE_DIRECTORY`, else `.cache/pilotlight` in the home that the system knows of, whatever HOME says. Where neither can
// be had, nothing is kept.
import { mkdirSync, statSync } from 'node:fs'
import module from 'node:module'
import os from 'node:os'
import path from 'node:path'

/** Names the directory to this process, to its threads and to the newer Node that it may start. */
export function keepCompiledCode() {
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = process.env
  if (NODE_COMPILE_CACHE !== undefined || NODE_DISABLE_COMPILE_CACHE !== undefined) return
  const directory = ownDirectory()
  if (directory === undefined) return
  process.env.NODE_COMPILE_CACHE = directory
  // Not there before Node 22.
  module.enableCompileCache?.(directory)
}

function ownDirectory() {
  try {
    const directory = path.join(process.env.CACHE_DIRECTORY ?? homeCache(), 'code')
    make(directory)
    const { uid, mode } = statSync(directory)
    return uid === process.geteuid?.() && (mode & 0o022) === 0 ? directory : undefined
  } catch {
    // No home, another user's, or a disk that is full or read-only.
    return undefined
  }
}

function homeCache() {
  const directory = path.join(os.userInfo().homedir, '.cache')
  make(directory)
  make(path.join(directory, 'pilotlight'))
  return path.join(directory, 'pilotlight')
}

/** @param {string} directory */
function make(directory) {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
  }
}
