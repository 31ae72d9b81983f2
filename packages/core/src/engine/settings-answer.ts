// A `Settings` command is acknowledged as a whole, whatever became of its settings: taken for a success, what a device refused
// would never be noticed.
import { type CommandResponse, settingResults } from '@espalier/apple-mdm';

/** The answer, or, where the device refused a setting, an error with what it said of each such setting. */
export function withRefusedSettings(response: CommandResponse): CommandResponse {
  if (response.status !== 'Acknowledged') return response;
  const refused = settingResults(response).filter(({ status }) => status !== 'Acknowledged');
  if (refused.length === 0) return response;
  const errorChain = refused.flatMap(({ item, identifier, status, errorChain: chain }) => {
    const name = [item, identifier].filter((part) => part !== undefined).join(' ') || 'a setting';
    const links = chain.length > 0 ? chain : [{ code: 0, domain: 'Settings', description: status }];
    return links.map((link) => ({ ...link, description: `${name}: ${link.description}` }));
  });
  return { ...response, status: 'Error', errorChain };
}
