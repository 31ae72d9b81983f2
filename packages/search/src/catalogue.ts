// @espalier/search/catalogue: the searchable fields of a managed device and its user.
import { APPLE_FIELDS } from './catalogue/apple.ts';
import { COMMON_FIELDS } from './catalogue/common.ts';
import { EDUCATION_FIELDS, MORE_FIELDS } from './catalogue/more.ts';
import { ANDROID_FIELDS, LISTED_ONLY_FIELDS } from './catalogue/other-platforms.ts';
import { USER_FIELDS } from './catalogue/user.ts';
import { type Catalogue, createCatalogue } from './registry.ts';

export { type CustomAttribute, deviceAttribute, ldapAttribute, userAttribute } from './catalogue/custom.ts';
export { ANDROID_FIELDS, APPLE_FIELDS, COMMON_FIELDS, EDUCATION_FIELDS, LISTED_ONLY_FIELDS, MORE_FIELDS, USER_FIELDS };

/**
 * Every field: 85 common, 91 Apple, 24 user, 68 Android, education, software update and more. Extend it with a product's
 * own fields and the custom attributes of an installation.
 * @example const mine = catalogue.extend([deviceAttribute({ name: 'room', type: 'str' })]);
 */
export const catalogue: Catalogue = /* @__PURE__ */ createCatalogue([
  ...COMMON_FIELDS,
  ...APPLE_FIELDS,
  ...USER_FIELDS,
  ...ANDROID_FIELDS,
  ...EDUCATION_FIELDS,
  ...MORE_FIELDS,
  ...LISTED_ONLY_FIELDS,
]);
