import { Command } from 'commander';

export function bootstrapCommand(): Command {
  return new Command('bootstrap');
}
