/** What a browser could run or fetch more with, if it were ever talked into showing it. */
const ACTIVE = /html|xml|svg|script|wasm|flash|^(?:multipart|message|model)\//;
const PLAIN = /^[a-z0-9]+\/[a-z0-9.+-]+$/;

/** The content type that an artifact is sent with: its own, unless that is an active one. */
export function servedType(mediaType: string): string {
  const isHarmless = PLAIN.test(mediaType) && !ACTIVE.test(mediaType);
  return isHarmless ? mediaType : 'application/octet-stream';
}
