// Simulated Apple services for organisations.
export { type Handler, type ListeningService, listenService } from './answers.ts';
export {
  createSimulatedEnrolmentService,
  type ServiceRequest,
  type SimulatedEnrolmentOptions,
  type SimulatedEnrolmentService,
} from './enrolment/server.ts';
export type { GivenDevice, Organisation, OrganisationOptions, OwnedDevice } from './organisation.ts';
