/** How long a boot token is good, from its minting or from the last image bytes that moved. */
export const TOKEN_LIFE_MS = 15 * 60_000

/** The end that nothing extends, from its minting. */
export const TOKEN_CAP_MS = 2 * 60 * 60_000
