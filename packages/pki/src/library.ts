// asn1js and pkijs, loaded on first use: they take several times as long to load as this package does.

/** The library's two modules. */
export interface Library {
  readonly asn1js: typeof import('asn1js');
  readonly pkijs: typeof import('pkijs');
}

let loading: Promise<Library> | undefined;

const load = async (): Promise<Library> => ({ asn1js: await import('asn1js'), pkijs: await import('pkijs') });

/** The library; every call gives the same promise. */
export const library = (): Promise<Library> => (loading ??= load());
