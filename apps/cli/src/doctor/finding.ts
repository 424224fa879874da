/** What one check of `doctor` found; `fix` says what to do about it. */
export interface Finding {
  check: string;
  status: 'ok' | 'warn' | 'fail';
  detail: string;
  fix?: string;
}
