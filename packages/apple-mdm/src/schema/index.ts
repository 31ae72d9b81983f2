// The schema catalogue's public face: the generated types (the lookup API joins them below).
export type * from '../generated/types.ts';
