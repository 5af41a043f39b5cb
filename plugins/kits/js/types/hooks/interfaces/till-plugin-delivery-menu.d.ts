/// <reference path="./till-plugin-menus.d.ts" />
/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/delivery-menu@0.2.0' {
  /**
   * Returns the changes, each group at most once.
   */
  export function customize(ctx: TraceContext, question: Question): Array<GroupChanges>;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  export type Change = import('till:plugin/menus@0.2.0').Change;
  export type DeliveryChoices = import('till:plugin/menus@0.2.0').DeliveryChoices;
  export type GroupId = import('till:plugin/menus@0.2.0').GroupId;
  export interface Question {
    cart: Cart,
    /**
     * The groups with the options that are left, discounts taken off their costs.
     */
    choices: Array<DeliveryChoices>,
  }
  /**
   * Changes to the options of one group. Ids are handles as they stand in `choices`.
   */
  export interface GroupChanges {
    group: GroupId,
    /**
     * 0 to 200, applied in this order.
     */
    changes: Array<Change>,
  }
}
