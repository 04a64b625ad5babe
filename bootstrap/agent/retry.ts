/**
 * How long to pause after the n-th failure in a row (1, 2, …): 2 s, doubling to 16 s, plus up to a quarter so that
 * a room of machines which failed together does not come back together.
 * @param dice from 0 to 1
 */
export function retryPauseMs(failures: number, dice: number): number {
  const base = Math.min(2000 * 2 ** (failures - 1), 16_000);
  return Math.round(base * (1 + dice / 4));
}
