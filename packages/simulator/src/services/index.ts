// Simulated Apple services for organisations.
export { type Handler, type ListeningService, listenService } from './answers.ts';
export {
  createSimulatedAppsService,
  type SimulatedAppsOptions,
  type SimulatedAppsService,
} from './apps/server.ts';
export type { SimulatedAsset } from './apps/state.ts';
export type { SimulatedSubscription } from './apps/subscriptions.ts';
export type { ResourceType, SimulatedResource, SimulatedResources } from './business/resources.ts';
export {
  createSimulatedBusinessApi,
  type SimulatedBusinessApi,
  type SimulatedBusinessOptions,
} from './business/server.ts';
export type { RosterEntry, SimulatedRoster } from './enrolment/roster.ts';
export {
  createSimulatedEnrolmentService,
  type ServiceRequest,
  type SimulatedEnrolmentOptions,
  type SimulatedEnrolmentService,
} from './enrolment/server.ts';
export type { GivenDevice, Organisation, OrganisationOptions, OwnedDevice } from './organisation.ts';
