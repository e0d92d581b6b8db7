import { flushCompileCache } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { Ipv4 } from '../../net/ipv4.ts'
import type { TransferTerms } from '../../tftp/negotiate.ts'
import { LockStepPriority } from './lock-step-priority.ts'
import type { Peer, TransferResult } from './session.ts'
import { LocalTransfers, type RunningTransfer } from './transfer-host.ts'

/** What the worker is told. A file comes before the first transfer of it. */
export type ToWorker =
  | { readonly kind: 'file'; readonly fileId: number; readonly bytes: Uint8Array }
  | {
      readonly kind: 'begin'
      readonly id: number
      readonly fileId: number
      readonly to: Peer
      readonly terms: TransferTerms
    }
  | { readonly kind: 'ask-again'; readonly id: number }
  | { readonly kind: 'drop' | 'abort'; readonly id: number; readonly message: string }

/** What the worker tells. */
export interface FromWorker {
  readonly id: number
  readonly result: TransferResult
}

/** A thread that moves TFTP's blocks, so that DHCP and decisions never wait behind them. */
const { localAddress, cacheBytes } = workerData as { localAddress: Ipv4; cacheBytes: number }
const transfers = new LocalTransfers(localAddress, cacheBytes)
const files = new Map<number, Uint8Array>()
const running = new Map<number, RunningTransfer>()
const priority = new LockStepPriority()

parentPort?.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'file':
      files.set(message.fileId, message.bytes)
      break
    case 'begin':
      return begin(message)
    case 'ask-again':
      running.get(message.id)?.askAgain()
      break
    case 'drop':
    case 'abort':
      running.get(message.id)?.[message.kind](message.message)
  }
})

// A thread that is ended keeps nothing for the next start by itself.
flushCompileCache()

function begin({ id, fileId, to, terms }: Extract<ToWorker, { kind: 'begin' }>): void {
  const fileBytes = files.get(fileId)
  if (fileBytes === undefined) throw new Error(`transfer ${id} is of file ${fileId}, which never came`)
  const transfer = transfers.begin({ to, fileBytes, terms })
  running.set(id, transfer)
  priority.begun(terms.window)
  void transfer.ended.then((result) => {
    priority.ended(terms.window)
    running.delete(id)
    parentPort?.postMessage({ id, result } satisfies FromWorker)
  })
}
