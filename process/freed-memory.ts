/** Memory that this process has freed, and that its allocator keeps for the next time. */
import koffi from 'koffi';

/**
 * Gives it back to the system. After a rush in which large messages lay in memory that is most of a process. Takes some
 * milliseconds for 100 MB. Where the C library is not glibc, which alone has a word for it, nothing happens.
 */
export function giveBackFreedMemory(): void {
  try {
    koffi.load(null).func('int malloc_trim(size_t keep)')(0);
  } catch {
    // It costs memory, and nothing else.
  }
}
