// A file without a name: whatever ends this process, it is gone with it.
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import path from 'node:path';

/** Dispose of it to give its space back. */
export class UnnamedFile implements AsyncDisposable {
  readonly handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.handle = handle;
  }

  /** Makes one on the disk of `folder`, which nobody else may write to; it has its name only while it is empty. */
  static async make(folder: string): Promise<UnnamedFile> {
    const name = path.join(folder, `unnamed-${randomUUID()}`);
    const handle = await open(name, 'wx+', 0o600);
    try {
      await unlink(name);
    } catch (error) {
      await handle.close();
      throw error;
    }
    return new UnnamedFile(handle);
  }

  /** Opens it once more, in this process and in its children (Linux). */
  get path(): string {
    return `/proc/${process.pid}/fd/${this.handle.fd}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close();
  }
}
