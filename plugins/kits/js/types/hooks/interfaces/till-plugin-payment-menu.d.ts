/// <reference path="./till-plugin-menus.d.ts" />
/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/payment-menu@0.2.0' {
  /**
   * Returns the changes, 0 to 200, applied in this order. Ids are methods' ids.
   */
  export function customize(ctx: TraceContext, question: Question): Array<Change>;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  export type Change = import('till:plugin/menus@0.2.0').Change;
  export interface Method {
    /**
     * What a request names it by.
     */
    id: string,
    /**
     * The name for people.
     */
    name: string,
  }
  export interface Question {
    cart: Cart,
    /**
     * What the customer pays: lines, discounts, delivery and tax.
     */
    due: MinorUnits,
    /**
     * The methods that are left.
     */
    methods: Array<Method>,
  }
}
