import { createHmac } from 'node:crypto';

/**
 * The value of `X-Workspaced-Signature`: when it was signed, in whole seconds, and the HMAC of that and the body, so that an old
 * message cannot be sent again as a new one.
 */
export function signatureOf(body: string, secret: string, signedAt: Date): string {
  const t = Math.floor(signedAt.getTime() / 1000);
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
}
