#!/usr/bin/env node
// The command `pilotlight`: plain old JavaScript, so that a Node that cannot run the sources still gets somewhere.
import { fileURLToPath } from 'node:url'
import { keepCompiledCode } from './code-cache.js'
import { runWithNode24 } from './with-node-24.js'

keepCompiledCode()
await runWithNode24(fileURLToPath(new URL('./main.ts', import.meta.url)), process.argv.slice(2))
