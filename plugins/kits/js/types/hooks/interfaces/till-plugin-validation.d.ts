/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/validation@0.2.0' {
  /**
   * Returns what is wrong, 0 to 32. With any, a checkout is answered with 422 `cart_refused` and all of them in `errors`, those of
   * the plugins in the operator's order. A quote has them beside the price.
   */
  export function validate(ctx: TraceContext, cart: Cart): Array<Violation>;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type LineId = import('till:plugin/types@0.2.0').LineId;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  /**
   * What a violation is about. It is no pointer into the request, because after a transform the lines aren't the client's. The host
   * knows where each line came from, and makes the pointer: `/lines/2`; for a merged line that of its first part.
   */
  export type Subject = SubjectCart | SubjectLine | SubjectShippingAddress | SubjectBillingAddress | SubjectCode | SubjectAttribute;
  /**
   * The cart as a whole.
   */
  export interface SubjectCart {
    tag: 'cart',
  }
  /**
   * A line of the cart.
   */
  export interface SubjectLine {
    tag: 'line',
    val: LineId,
  }
  /**
   * A field of the address, by the name that the request has for it, such as `postal_code`.
   */
  export interface SubjectShippingAddress {
    tag: 'shipping-address',
    val: string,
  }
  /**
   * A field of the other address.
   */
  export interface SubjectBillingAddress {
    tag: 'billing-address',
    val: string,
  }
  /**
   * An entered code, as typed.
   */
  export interface SubjectCode {
    tag: 'code',
    val: string,
  }
  /**
   * An attribute of the cart, by its key.
   */
  export interface SubjectAttribute {
    tag: 'attribute',
    val: string,
  }
  /**
   * One thing that keeps the cart from being sold.
   */
  export interface Violation {
    /**
     * The reason for programs: a short word that stays the same from version to version, such as `one-of-each`. Not empty.
     */
    code: string,
    /**
     * The reason for people: a sentence that the customer may read.
     */
    message: string,
    subject: Subject,
  }
}
