/**
 * Makes the name of a request into the name to look up: backslashes become slashes, doubled and leading slashes and
 * `.` segments go. Nothing here is ever made into a path; the result is looked up in a list of what there is.
 *
 * @returns undefined for a name that nobody has a right to ask for: control bytes, `%`, `..`, or nothing at all.
 */
export function cleanFileName(text: string): string | undefined {
  if (/[\u0000-\u001f\u007f-\u009f%]/.test(text)) return undefined
  const segments = text
    .replaceAll('\\', '/')
    .split('/')
    // Some ROMs end the name of option 67 with 0xff or blanks.
    .map((segment) => segment.replace(/[\u00ff ]+$/, ''))
    .filter((segment) => segment !== '' && segment !== '.')
  if (segments.length === 0 || segments.includes('..')) return undefined
  return segments.join('/')
}
