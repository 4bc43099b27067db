/** What a program is told, with the file that it names, read at once. */
import { noFile } from '../../process/file-values.ts';
import { type SettingsSources, settingsFileOf, type ToldSettings } from '../../process/settings.ts';
import { readSettingsFile } from '../../process/settings-file.ts';

export function settingsSources({ flags = {}, environment = {} }: Partial<ToldSettings>): SettingsSources {
  const path = settingsFileOf({ flags, environment });
  return { flags, environment, file: path === undefined ? noFile : readSettingsFile(path) };
}
