#!/usr/bin/env node
// Plain old JavaScript, so that a Node that cannot run the sources can still say so in one line.
var major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error(
    'pilotlight needs Node 24 or newer, this is ' +
      process.version +
      ': start it with npm start (npm ci brings its own Node 24), or install Node 24',
  )
  process.exitCode = 1
} else {
  import('./main.ts')
}
