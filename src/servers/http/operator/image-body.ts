import { type Static, Type } from 'typebox'
import type { ImageSource } from '../../images/import-image.ts'

const file = Type.String({ minLength: 1, maxLength: 4096, pattern: '^/' })
const text = Type.String({ maxLength: 100 })

/** An import from this server's own disk: `path`, or files named one by one. */
export const ImportBody = Type.Object(
  {
    name: text,
    version: Type.Optional(text),
    promote: Type.Optional(Type.Boolean()),
    path: Type.Optional(file),
    script: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._+-]{1,128}$' })),
    files: Type.Optional(
      Type.Object(
        {
          kernel: file,
          initrd: file,
          squashfs: Type.Optional(file),
          init: Type.String({ maxLength: 255 }),
          parameters: Type.Optional(Type.Array(Type.String({ maxLength: 255 }), { maxItems: 64 })),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)

const yesOrNo = Type.Union([Type.Literal('true'), Type.Literal('false')])

/** What a collection says in its query. */
export const CollectQuery = Type.Object({ dry_run: Type.Optional(yesOrNo) }, { additionalProperties: false })

/** What an upload says in its query; its body is the tarball. */
export const UploadQuery = Type.Object(
  {
    name: text,
    version: Type.Optional(text),
    promote: Type.Optional(yesOrNo),
    script: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._+-]{1,128}$' })),
  },
  { additionalProperties: false },
)

/** Undefined when the body names both or neither. */
export function sourceOf(body: Static<typeof ImportBody>): ImageSource | undefined {
  const { path, files, script } = body
  if (path !== undefined && files === undefined)
    return { kind: 'path', path, ...(script === undefined ? {} : { script }) }
  if (files === undefined || path !== undefined) return undefined
  const { parameters = [], ...rest } = files
  return { kind: 'files', files: { ...rest, parameters } }
}

export function requestOf(body: { name: string; version?: string; promote?: boolean | 'true' | 'false' }) {
  return {
    name: body.name,
    promotes: body.promote === true || body.promote === 'true',
    ...(body.version === undefined ? {} : { version: body.version }),
  }
}
