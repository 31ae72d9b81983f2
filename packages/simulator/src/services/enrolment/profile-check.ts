// What Apple's service checks of an enrolment profile that is defined ("Define a Profile").

const limits: readonly (readonly [key: string, longest: number, error: string])[] = [
  ['department', 125, 'DEPARTMENT_INVALID'],
  ['org_magic', 256, 'MAGIC_INVALID'],
  ['support_phone_number', 50, 'SUPPORT_PHONE_INVALID'],
  ['support_email_address', 250, 'SUPPORT_EMAIL_INVALID'],
];

/** The error that a profile is refused with; undefined for one that is taken. */
export function profileProblem(profile: ReadonlyMap<string, unknown>): string | undefined {
  const name = profile.get('profile_name');
  if (name === undefined) return 'CONFIG_NAME_REQUIRED';
  if (typeof name !== 'string' || name === '' || name.length > 125) return 'CONFIG_NAME_INVALID';
  const url = profile.get('url');
  if (url === undefined) return 'CONFIG_URL_REQUIRED';
  if (typeof url !== 'string' || url.length > 2000 || !URL.canParse(url)) return 'CONFIG_URL_INVALID';
  for (const [key, longest, error] of limits) {
    const value = profile.get(key);
    if (value !== undefined && (typeof value !== 'string' || value === '' || value.length > longest)) return error;
  }
  if (profile.get('is_mdm_removable') === false && profile.get('is_supervised') !== true) return 'FLAGS_INVALID';
  const [language, region] = [profile.get('language'), profile.get('region')];
  const wrong = (value: unknown, form: RegExp): boolean =>
    value !== undefined && (typeof value !== 'string' || !form.test(value));
  return wrong(language, /^[a-z]{2,3}$/) || wrong(region, /^[A-Z]{2}$/) ? 'LOCALE_INVALID' : undefined;
}
