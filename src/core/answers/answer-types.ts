import type { Grant } from '../../auth/grant.ts';

/** What a request's body was, without the body. */
export interface BodyPrint {
  readonly hash: string;
  readonly bytes: number;
}

/** The work of the first request with a key. It ends with `keep` or `free`. */
export interface FirstWork {
  /** Before anything is done, once the whole body has arrived. @throws conflict where the key was lost to another request */
  begin(body: BodyPrint): Promise<void>;
  /** From now on and for a day the key has this answer. One that is too large is not kept, and the key stays used. Never throws. */
  keep(answer: string): Promise<void>;
  /** Nothing was done: the next request with the key is the first again. Never throws. */
  free(): Promise<void>;
}

/** A request with the key that was answered before. */
export interface EarlierAnswer {
  readonly body: BodyPrint;
  /**
   * What it was answered, for one who sends the same body again; null: a longer one.
   * @throws conflict for another body, and where the answer could not be kept
   */
  answerTo(body: BodyPrint | null): string;
}

/** What a request with a key finds: it is the first, or one was before it. */
export type AnswerClaim = { readonly first: FirstWork } | { readonly earlier: EarlierAnswer };

/** Remembers for a day what was answered to requests that carry a key, so that the same request sent again is not done again. */
export interface Answers {
  /**
   * Whether this is the first request with the key. Keys are each credential's own: its subject's, and its agent's or user's
   * where it is bound to one.
   * @param call what was asked for but for the body, as one text
   * @throws conflict where the key stands for another call, is in work (with a time to try again), or was in work when its
   * process died; rate_limited
   */
  claim(grant: Grant, key: string, call: string): Promise<AnswerClaim>;
}
