/// <reference path="./till-plugin-menus.d.ts" />
/// <reference path="./till-plugin-offers.d.ts" />
/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/delivery-discounts@0.2.0' {
  /**
   * Returns what the plugin would give: 0 to 32 offers.
   */
  export function decide(ctx: TraceContext, question: Question): Array<Offer>;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  export type PartsPerMillion = import('till:plugin/types@0.2.0').PartsPerMillion;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  export type DeliveryChoices = import('till:plugin/menus@0.2.0').DeliveryChoices;
  export type GroupId = import('till:plugin/menus@0.2.0').GroupId;
  export type Choice = import('till:plugin/offers@0.2.0').Choice;
  export type Classes = import('till:plugin/offers@0.2.0').Classes;
  export interface Question {
    cart: Cart,
    /**
     * The groups with all their options, before any is hidden.
     */
    choices: Array<DeliveryChoices>,
  }
  export type Value = ValuePercentage | ValueAmount;
  /**
   * A share of the option's cost, rounded half up.
   */
  export interface ValuePercentage {
    tag: 'percentage',
    val: PartsPerMillion,
  }
  /**
   * An amount, at most what is left of the cost.
   */
  export interface ValueAmount {
    tag: 'amount',
    val: MinorUnits,
  }
  export interface OptionTarget {
    group: GroupId,
    /**
     * A handle as it stands in `choices`, with the installation's name.
     */
    handle: string,
  }
  export type Target = TargetGroup | TargetDeliveryOption;
  /**
   * Every option of a group.
   */
  export interface TargetGroup {
    tag: 'group',
    val: GroupId,
  }
  /**
   * One option.
   */
  export interface TargetDeliveryOption {
    tag: 'delivery-option',
    val: OptionTarget,
  }
  export interface Candidate {
    /**
     * The name for people.
     */
    title: string,
    value: Value,
    /**
     * 1 to 100.
     */
    targets: Array<Target>,
    /**
     * The entered code that it is due to.
     */
    code?: string,
  }
  export interface Offer {
    /**
     * 1 to 100.
     */
    candidates: Array<Candidate>,
    choose: Choice,
    combinesWith: Classes,
  }
}
