/// <reference path="./till-plugin-menus.d.ts" />
/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/delivery-options@0.2.0' {
  /**
   * Returns the options, 0 to 32.
   */
  export function offer(ctx: TraceContext, question: Question): Array<DeliveryOption>;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  export type DeliveryGroup = import('till:plugin/menus@0.2.0').DeliveryGroup;
  export type DeliveryOption = import('till:plugin/menus@0.2.0').DeliveryOption;
  export interface Question {
    cart: Cart,
    group: DeliveryGroup,
  }
}
