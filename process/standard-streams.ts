/** Standard output and error of a program that may be read by nobody, or slowly. */

/** Who reads our output may stop reading: `sluice agents | head -1` is no error, and ends the program with 0. */
export function endWithReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}

/** A reader that is slow gets all of it; after that nothing, such as connections kept for later, is a reason to stay. */
export async function exitWhenWritten(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  }
  return process.exit(code);
}
