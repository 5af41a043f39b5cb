/// <reference path="./interfaces/till-plugin-checkout.d.ts" />
/// <reference path="./interfaces/till-plugin-host.d.ts" />
/// <reference path="./interfaces/till-plugin-inventory.d.ts" />
/// <reference path="./interfaces/till-plugin-telemetry.d.ts" />
/// <reference path="./interfaces/till-plugin-types.d.ts" />
declare module 'till:plugin/checkout-plugin@0.1.0' {
  export type * as TillPluginHost010 from 'till:plugin/host@0.1.0'; // import till:plugin/host@0.1.0
  export type * as TillPluginInventory010 from 'till:plugin/inventory@0.1.0'; // import till:plugin/inventory@0.1.0
  export type * as TillPluginTelemetry010 from 'till:plugin/telemetry@0.1.0'; // import till:plugin/telemetry@0.1.0
  export type * as TillPluginTypes010 from 'till:plugin/types@0.1.0'; // import till:plugin/types@0.1.0
  export * as checkout from 'till:plugin/checkout@0.1.0'; // export till:plugin/checkout@0.1.0
}
