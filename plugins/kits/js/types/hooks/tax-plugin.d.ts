/// <reference path="./interfaces/till-plugin-facts.d.ts" />
/// <reference path="./interfaces/till-plugin-http.d.ts" />
/// <reference path="./interfaces/till-plugin-menus.d.ts" />
/// <reference path="./interfaces/till-plugin-settings.d.ts" />
/// <reference path="./interfaces/till-plugin-tax.d.ts" />
/// <reference path="./interfaces/till-plugin-telemetry.d.ts" />
/// <reference path="./interfaces/till-plugin-types.d.ts" />
declare module 'till:plugin/tax-plugin@0.2.0' {
  export type * as TillPluginFacts020 from 'till:plugin/facts@0.2.0'; // import till:plugin/facts@0.2.0
  export type * as TillPluginHttp020 from 'till:plugin/http@0.2.0'; // import till:plugin/http@0.2.0
  export type * as TillPluginMenus020 from 'till:plugin/menus@0.2.0'; // import till:plugin/menus@0.2.0
  export type * as TillPluginSettings020 from 'till:plugin/settings@0.2.0'; // import till:plugin/settings@0.2.0
  export type * as TillPluginTelemetry020 from 'till:plugin/telemetry@0.2.0'; // import till:plugin/telemetry@0.2.0
  export type * as TillPluginTypes020 from 'till:plugin/types@0.2.0'; // import till:plugin/types@0.2.0
  export * as tax from 'till:plugin/tax@0.2.0'; // export till:plugin/tax@0.2.0
}
