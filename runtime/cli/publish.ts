import { Command } from 'commander';

export function publishCommand(): Command {
  return new Command('publish');
}
