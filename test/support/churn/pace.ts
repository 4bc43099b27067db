/** Something that is done so many times a second, however long each takes. */

export interface PaceOptions {
  readonly perSecond: number;
  /** Who takes longer than that is not sent more: the rate falls instead, and whoever looks at it sees so. */
  readonly mostUnderWay: number;
}

const tickMs = 5;

/** Resolves when it is over and all that was begun is done; with how often it was done. Rejects with the first failure. */
export async function keepPace(
  { perSecond, mostUnderWay }: PaceOptions,
  isOver: () => boolean,
  act: () => Promise<void>,
): Promise<number> {
  const startedMs = performance.now();
  const underWay = new Set<Promise<void>>();
  let begun = 0;
  let failure: unknown;
  while (!isOver() && failure === undefined) {
    const due = ((performance.now() - startedMs) * perSecond) / 1_000;
    while (begun < due && underWay.size < mostUnderWay) {
      begun++;
      const one: Promise<void> = act()
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => underWay.delete(one));
      underWay.add(one);
    }
    await new Promise((resolve) => setTimeout(resolve, tickMs));
  }
  await Promise.all(underWay);
  if (failure !== undefined) throw failure;
  return begun;
}
