/// <reference path="./interfaces/till-plugin-cart-transform.d.ts" />
/// <reference path="./interfaces/till-plugin-facts.d.ts" />
/// <reference path="./interfaces/till-plugin-settings.d.ts" />
/// <reference path="./interfaces/till-plugin-telemetry.d.ts" />
/// <reference path="./interfaces/till-plugin-types.d.ts" />
declare module 'till:plugin/cart-transform-plugin@0.2.0' {
  export type * as TillPluginFacts020 from 'till:plugin/facts@0.2.0'; // import till:plugin/facts@0.2.0
  export type * as TillPluginSettings020 from 'till:plugin/settings@0.2.0'; // import till:plugin/settings@0.2.0
  export type * as TillPluginTelemetry020 from 'till:plugin/telemetry@0.2.0'; // import till:plugin/telemetry@0.2.0
  export type * as TillPluginTypes020 from 'till:plugin/types@0.2.0'; // import till:plugin/types@0.2.0
  export * as cartTransform from 'till:plugin/cart-transform@0.2.0'; // export till:plugin/cart-transform@0.2.0
}
