/**
 * As much of a VT100 as the menu uses: what a person would see. It throws at everything else, so that a test shows what a
 * simple terminal would not understand.
 */
export function openScreenTerminal(columns: number, rows: number) {
  let cells = blank();
  let at = { row: 0, column: 0 };
  let pending = '';
  let isReverse = false;
  let reversed = new Set<string>();

  function blank(): string[][] {
    return Array.from({ length: rows }, () => Array.from({ length: columns }, () => ' '));
  }
  function command(parameters: string, final: string): void {
    if (final === 'H') {
      const [row = 1, column = 1] = parameters.split(';').map((text) => Number(text || '1'));
      if (row < 1 || row > rows || column < 1 || column > columns) throw new Error(`outside: ${parameters}`);
      at = { row: row - 1, column: column - 1 };
    } else if (final === 'K' && parameters === '') {
      if (isReverse) throw new Error('erasing in reverse');
      for (let column = at.column; column < columns; column += 1) put(' ', at.row, column);
    } else if (final === 'J' && parameters === '2') {
      cells = blank();
      reversed = new Set();
    } else if (final === 'm' && /^[017]$/.test(parameters)) {
      isReverse = parameters === '7';
    } else if (!/^\?(7|25)[hl]$/.test(parameters + final)) {
      throw new Error(`unknown: ESC [ ${parameters}${final}`);
    }
  }
  function put(character: string, row: number, column: number): void {
    const line = cells[row];
    if (!line || column >= columns) throw new Error('beyond the last column');
    line[column] = character;
    if (isReverse) reversed.add(`${row} ${column}`);
    else reversed.delete(`${row} ${column}`);
  }
  return {
    write(text: string): void {
      pending += text;
      for (;;) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
        const match = /^(?:\x1b\[([0-9;?]*)([A-Za-z])|([^\x00-\x1f\x7f-\x9f])|[\r\n])/u.exec(pending);
        if (!match) break;
        if (match[2] !== undefined) command(match[1] ?? '', match[2]);
        if (match[3] !== undefined) {
          put(match[3], at.row, at.column);
          at = { row: at.row, column: at.column + 1 };
        }
        if (match[0] === '\n') at = { row: Math.min(rows - 1, at.row + 1), column: 0 };
        pending = pending.slice(match[0].length);
      }
      // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
      if (pending !== '' && !/^\x1b(\[[0-9;?]*)?$/.test(pending)) throw new Error(`unknown: ${JSON.stringify(pending)}`);
    },
    rows: (): readonly string[] => cells.map((row) => row.join('')),
    text: (): string => cells.map((row) => row.join('').trimEnd()).join('\n'),
    /** Whether a row is shown in reverse, from its first column to its last. */
    isReverse: (row: number): boolean => cells[row]?.every((_, column) => reversed.has(`${row} ${column}`)) ?? false,
    /** The first row in reverse below the title. */
    selected: (): string | undefined =>
      cells.map((row) => row.join('').trim()).find((_, row) => row > 0 && reversed.has(`${row} 0`)),
  };
}
