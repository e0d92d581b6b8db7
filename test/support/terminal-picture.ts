import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Draws what a terminal shows at the end of a recording as an SVG, for the README:
 *
 *     script -qec 'npm run -s demo' demo.typescript
 *     node test/support/terminal-picture.ts demo.typescript docs/demo.svg 'npm run demo'
 */

const LINE_PX = 18
const CHAR_PX = 8.4
const PADDING_PX = 16

const [recording, picture, command] = process.argv.slice(2)
if (recording === undefined || picture === undefined) {
  console.error('usage: terminal-picture.ts RECORDING PICTURE.svg [COMMAND]')
  process.exit(2)
}
const shown = lastScreen(readFileSync(recording, 'utf8'))
writeFileSync(picture, svgOf(command === undefined ? shown : [`# ${command}`, ...shown]))

/** Replays line feeds, "up n lines" and "erase the line": all that our own output uses. */
function lastScreen(text: string): string[] {
  const lines: string[] = ['']
  let row = 0
  const body = text.replace(/^Script started.*\n/, '').replace(/\nScript done[\s\S]*$/, '\n')
  for (const part of body.split(/(\u001b\[\d*[A-Za-z]|\r?\n|\r)/)) {
    const up = /^\u001b\[(\d*)A$/.exec(part)
    if (up !== null) row = Math.max(0, row - Number(up[1] || 1))
    else if (part === '\u001b[2K') lines[row] = ''
    else if (/^\r?\n$/.test(part)) {
      row += 1
      lines[row] ??= ''
    } else if (part !== '\r' && !part.startsWith('\u001b')) lines[row] = (lines[row] ?? '') + part
  }
  while (lines.at(-1) === '') lines.pop()
  return lines
}

function svgOf(lines: readonly string[]): string {
  const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * CHAR_PX + 2 * PADDING_PX)
  const height = lines.length * LINE_PX + 2 * PADDING_PX
  const texts = lines.map((line, index) => {
    const y = PADDING_PX + (index + 1) * LINE_PX - 5
    return `<text x="${PADDING_PX}" y="${y}" xml:space="preserve">${escaped(line)}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="A terminal: ${escaped(lines.at(-1) ?? '')}">`,
    `<rect width="100%" height="100%" rx="8" fill="#14181f"/>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="#d6dde8">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
