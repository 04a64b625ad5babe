/** Where a timeline is shown: lines that stay, above lines that change. */
export interface Terminal {
  /** Prints lines that stay. */
  print(...lines: readonly string[]): void;
  /** Replaces the changing lines; on something that is no terminal, does nothing. */
  live(lines: readonly string[]): void;
}

export function openTerminal(stream: NodeJS.WriteStream): Terminal {
  let shown: readonly string[] = [];
  const columns = () => Math.max(20, (stream.columns ?? 80) - 1);
  const clear = () => (shown.length > 0 ? `\x1b[${shown.length}A\x1b[J` : '');
  const draw = (lines: readonly string[]) => lines.map((line) => `${line.slice(0, columns())}\n`).join('');
  return {
    print: (...lines) => {
      const block = lines.map((line) => `${line}\n`).join('');
      stream.write(stream.isTTY ? clear() + block + draw(shown) : block);
    },
    live: (lines) => {
      if (!stream.isTTY) return;
      stream.write(clear() + draw(lines));
      shown = lines;
    },
  };
}
