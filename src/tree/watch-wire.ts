/** What crosses between the event loop and the thread that watches. Everything here survives a structured clone. */

/** `again` looks at a tree anew, as if it had just been opened. `ping` is answered as soon as the thread comes to it. */
export type Command =
  | { readonly kind: 'open'; readonly id: number; readonly hostPath: string }
  | { readonly kind: 'again'; readonly id: number }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'ping' };

/** Where something may have changed, as texts below the tree's root, which itself is the empty text. */
export interface Hinted {
  readonly paths: readonly string[];
  /** Directories in which something changed whose name is not UTF-8: the watcher cannot say which. */
  readonly odd: readonly string[];
}

export type Report =
  /** The first look, or the one that was asked for again, is over: changes from now on are hinted. */
  | { readonly kind: 'ready'; readonly id: number }
  | ({ readonly kind: 'hints'; readonly id: number } & Hinted)
  /** The tree is not watched any more: it changes too much, or the machine has no watches left. */
  | { readonly kind: 'lost'; readonly id: number }
  /** More changed in all trees together than the kernel surely kept: each may have changed where nobody heard of it. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'pong' };
