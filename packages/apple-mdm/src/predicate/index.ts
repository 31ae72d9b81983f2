// Predicates of activations: the public face.
export type { Expression, Operator, Predicate } from './ast.ts';
export { checkPredicate, type PredicateProblem, predicateStatusItems } from './check.ts';
export { evaluatePredicate, type PredicateValues, statusLookup } from './evaluate.ts';
export { parsePredicate } from './parse.ts';
export { printPredicate } from './print.ts';
