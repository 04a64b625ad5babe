import * as std from 'std';
import type { DownloadState } from '../../download-view.ts';
import { openHost } from '../../quickjs-host.ts';
import { chooseInMenu, type MenuOptions } from '../choose.ts';
import { openProgress } from '../progress.ts';

/** What a test tells this program: the menu, then the download, as the agent shows them, without the rest of a boot. */
export interface MenuProgram {
  readonly workPath: string;
  readonly consoles: readonly string[];
  readonly printkPath: string;
  readonly menu: Omit<MenuOptions, 'onTick'>;
  readonly download: readonly DownloadState[];
}

const program = JSON.parse(std.getenv('MENU_PROGRAM') ?? '') as MenuProgram;
const host = openHost(program);
host.print('the menu comes');
let ticks = 0;
const choice = chooseInMenu(host, {
  ...program.menu,
  onTick: () => {
    ticks += 1;
    host.print(`tick ${ticks}`);
  },
});
host.print(`choice ${JSON.stringify(choice)}`);
const view = openProgress(host, { title: choice.name, keyed: choice.keyed });
for (const state of program.download) {
  view.show(state);
  host.print(`download ${state.doneBytes}`);
  host.sleep(700);
}
view.close();
host.print('end');
