/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/offers@0.2.0' {
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  export type PartsPerMillion = import('till:plugin/types@0.2.0').PartsPerMillion;
  /**
   * Kinds of discounts. An offer on lines is of the class `product`, one on the lines' sum of `order`, one on delivery of
   * `delivery`.
   */
  export interface Classes {
    product: boolean,
    order: boolean,
    delivery: boolean,
  }
  /**
   * Which of an offer's candidates count.
   * # Variants
   * 
   * ## `"first"`
   * 
   * The first that is worth anything.
   * ## `"largest"`
   * 
   * The one that is worth most; of equal ones the first.
   * ## `"all"`
   * 
   * Each of them, one after the other.
   */
  export type Choice = 'first' | 'largest' | 'all';
}
