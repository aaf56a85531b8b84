/** Something in staging that `Tree.place` can put in place: a file, a link or a whole directory. */
export interface Placeable {
  /** Its name in staging. Only the tree layer reads it. */
  readonly name: string;
  readonly kind: 'file' | 'symlink' | 'directory';
  /** The inode, so that what was placed can be recognised later; see Entry.inode. */
  readonly inode: string;
  /** True where its content survives a power cut already. */
  readonly isFlushed: boolean;
  /** Removes it unless it was placed. Never throws. */
  discard(): Promise<void>;
}
