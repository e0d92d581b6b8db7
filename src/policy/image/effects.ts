import type { Image, ImageState, ImageVersion, Promotion } from '../../model/image.ts'

/** What decisions about images may change. */
export type ImageEffect =
  | { readonly kind: 'put-image'; readonly image: Image }
  | { readonly kind: 'put-image-version'; readonly version: ImageVersion }
  | {
      readonly kind: 'set-image-state'
      readonly imageId: string
      readonly state: ImageState
      readonly why?: string
    }
  | { readonly kind: 'promote-image'; readonly promotion: Omit<Promotion, 'seq'> }
  | { readonly kind: 'roll-back-promotion'; readonly seq: number; readonly atMs: number }
  /** With its versions and its old promotions; its files go when nothing else holds them. */
  | { readonly kind: 'delete-image'; readonly imageId: string }
