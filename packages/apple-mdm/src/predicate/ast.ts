// The tree of a predicate.

/** How two values are compared. */
export type Operator =
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'BETWEEN'
  | 'IN'
  | 'CONTAINS'
  | 'BEGINSWITH'
  | 'ENDSWITH'
  | 'LIKE';

/** A value. */
export type Expression =
  | { readonly type: 'literal'; readonly value: string | number | boolean | null }
  | { readonly type: 'list'; readonly items: readonly Expression[] }
  /** `@status(name)` */
  | { readonly type: 'status'; readonly name: string }
  /** `@property(name)` */
  | { readonly type: 'property'; readonly name: string }
  /** `$name`, within a SUBQUERY */
  | { readonly type: 'variable'; readonly name: string }
  /** `object.@key(name)` */
  | { readonly type: 'key'; readonly object: Expression; readonly name: string }
  /** `collection.@count` */
  | { readonly type: 'count'; readonly collection: Expression }
  | {
      readonly type: 'subquery';
      readonly collection: Expression;
      readonly variable: string;
      readonly predicate: Predicate;
    };

/** A condition. */
export type Predicate =
  | { readonly type: 'constant'; readonly value: boolean }
  | { readonly type: 'and'; readonly parts: readonly Predicate[] }
  | { readonly type: 'or'; readonly parts: readonly Predicate[] }
  | { readonly type: 'not'; readonly part: Predicate }
  | {
      readonly type: 'comparison';
      readonly left: Expression;
      readonly operator: Operator;
      readonly right: Expression;
      /** Whether case, or accents, make no difference. */
      readonly ignore: { readonly case: boolean; readonly diacritics: boolean };
      /** For a list on the left: any, all or none of its items. */
      readonly quantifier: 'any' | 'all' | 'none' | null;
    };
