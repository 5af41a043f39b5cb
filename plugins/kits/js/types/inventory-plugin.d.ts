/// <reference path="./interfaces/till-plugin-host.d.ts" />
/// <reference path="./interfaces/till-plugin-inventory.d.ts" />
/// <reference path="./interfaces/till-plugin-stock.d.ts" />
/// <reference path="./interfaces/till-plugin-telemetry.d.ts" />
/// <reference path="./interfaces/till-plugin-types.d.ts" />
declare module 'till:plugin/inventory-plugin@0.1.0' {
  export type * as TillPluginHost010 from 'till:plugin/host@0.1.0'; // import till:plugin/host@0.1.0
  export type * as TillPluginStock010 from 'till:plugin/stock@0.1.0'; // import till:plugin/stock@0.1.0
  export type * as TillPluginTelemetry010 from 'till:plugin/telemetry@0.1.0'; // import till:plugin/telemetry@0.1.0
  export type * as TillPluginTypes010 from 'till:plugin/types@0.1.0'; // import till:plugin/types@0.1.0
  export * as inventory from 'till:plugin/inventory@0.1.0'; // export till:plugin/inventory@0.1.0
}
