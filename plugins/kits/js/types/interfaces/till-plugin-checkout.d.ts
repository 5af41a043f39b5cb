/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/checkout@0.1.0' {
  /**
   * Prices the order, or says why there is no sale.
   * 
   * To answer ok a plugin calls `inventory.deduct` exactly once, for exactly what the order's lines sell, summed by
   * item, and that call has to succeed. An ok without it, for fewer or other pieces, or after a shortage is no sale:
   * 502 `bad_output`. A second `deduct` ends the call in the same way, whatever the first one answered. A plugin that
   * answers an error need not call it: reject first, deduct last.
   * 
   * After an ok the host commits: the order becomes COMPLETED and the stock is sold, in one transaction. If the commit
   * fails, there is no sale, although the plugin answered ok. If the plugin traps or reaches a limit after its
   * `deduct` succeeded, the stock goes back.
   * 
   * The host doesn't repeat a call for one order, and runs other orders' calls at the same time. A customer who hangs
   * up changes nothing: the call runs to its end.
   * 
   * `ctx` is the call's own span, `checkout_transaction`. It ends after the commit.
   */
  export function checkout(ctx: TraceContext, order: Order): Receipt;
  export type Attribute = import('till:plugin/types@0.1.0').Attribute;
  export type Currency = import('till:plugin/types@0.1.0').Currency;
  export type Line = import('till:plugin/types@0.1.0').Line;
  export type MinorUnits = import('till:plugin/types@0.1.0').MinorUnits;
  export type OrderId = import('till:plugin/types@0.1.0').OrderId;
  export type Rejection = import('till:plugin/types@0.1.0').Rejection;
  export type Shortage = import('till:plugin/types@0.1.0').Shortage;
  export type TraceContext = import('till:plugin/types@0.1.0').TraceContext;
  /**
   * An order that the host has accepted and recorded as PENDING, or a cart whose price a client asks for: a quote has
   * the same call, and nothing comes of it but its answer.
   */
  export interface Order {
    /**
     * The order's number on this host. In a trial and in a quote, of which no order is written, it is 1.
     */
    id: OrderId,
    /**
     * When the host accepted it: milliseconds since 1970-01-01T00:00:00Z by the host's clock, below 2^53.
     */
    placedAtMs: number,
    /**
     * The currency of every amount in the order and in its receipt.
     */
    currency: Currency,
    /**
     * What is bought: 1 to 100 lines. The host has checked that the sum of quantity times unit price over all of
     * them is below 2^53.
     */
    lines: Array<Line>,
    /**
     * What the client sent besides the lines: coupons, identity, the shop's own fields; 0 to 32. The host doesn't read
     * them. A client wrote them, so a customer group or a coupon in them is only a claim.
     */
    attributes: Array<Attribute>,
  }
  /**
   * What an adjustment does to the total.
   * # Variants
   * 
   * ## `"subtract"`
   * 
   * The amount is subtracted: a discount. What is subtracted under a category beyond what is added under it comes off
   * the lines: at most `checkout.discount_max_percent` of their sum, a setting of the shop, 50 by default.
   * ## `"add"`
   * 
   * The amount is added: tax on net prices, shipping. What is added under a category beyond what is subtracted under
   * it has a cap as well, `checkout.added_max_percent` of the lines' sum, but is never held to less than
   * `checkout.added_max_floor`.
   * ## `"included"`
   * 
   * The amount is shown and changes nothing: tax that the prices already include.
   */
  export type Effect = 'subtract' | 'add' | 'included';
  /**
   * One change to the lines' sum, or one statement about it. The host stores adjustments in the order given and
   * shows them to the customer.
   */
  export interface Adjustment {
    /**
     * What it does to the total.
     */
    effect: Effect,
    /**
     * Its kind, for programs. An open word; `discount`, `tax` and `shipping` are the usual ones.
     */
    category: string,
    /**
     * Its name, for people, such as `10 % off for members`.
     */
    label: string,
    /**
     * The amount in minor units, never negative: the effect carries the sign.
     */
    amount: MinorUnits,
    /**
     * The line that the adjustment belongs to, as an index into `order.lines` from 0; none for the whole order. An
     * index past the last line makes the receipt a bad one.
     */
    line?: number,
  }
  /**
   * What the order costs. The host accepts a receipt only if all of this is true:
   * 
   * - `total` is the lines' sum minus every `subtract` plus every `add`; `included` changes nothing;
   * - every amount and every sum, that of `included` too, is below 2^53, and the total isn't below 0;
   * - what comes off the lines is at most `checkout.discount_max_percent` (default 50) of their sum. Within a category,
   * what is subtracted is first set off against what is added: 4.99 added and 4.99 subtracted as `shipping` is free
   * delivery, and nothing comes off the lines. Categories are equal only letter by letter;
   * - what is left of what is added is at most `checkout.added_max_percent` (default 1000) of the lines' sum, or at most
   * `checkout.added_max_floor` (default 100 whole units of the currency);
   * - what was taken out of the stock for the order is what its lines sell, summed by item.
   * 
   * Otherwise the customer gets 502 with the code `bad_output`, the order is FAILED and its stock is back.
   */
  export interface Receipt {
    /**
     * The changes of the lines' sum, and the statements about it; often empty. At most `limits.receipt_adjustments`, a
     * setting of the host, 400 by default; more make the receipt a bad one.
     */
    adjustments: Array<Adjustment>,
    /**
     * What the customer pays, in minor units.
     */
    total: MinorUnits,
    /**
     * Further data about the decision; often empty. The host keeps the attributes with the order and doesn't read
     * them. An attribute with NaN or an infinity is left out. At most `limits.receipt_attributes`, 64 by default; more
     * make the receipt a bad one, and so does an attribute without a key.
     */
    attributes: Array<Attribute>,
  }
  /**
   * Why there is no sale. Whatever the case, the order becomes FAILED and what was taken for it goes back to the
   * stock, in one transaction. (One exception: while it is unknown whether an inventory in another process took
   * the stock, the order is PENDING_RELEASE, and FAILED once the release is confirmed.) The case decides what the
   * customer sees. The texts say what happened, for the operator.
   */
  export type CheckoutError = CheckoutErrorRejected | CheckoutErrorOutOfStock | CheckoutErrorConflict | CheckoutErrorUnavailable | CheckoutErrorOther;
  /**
   * The shop doesn't sell this order: an expired coupon, too many pieces for one customer, an inventory's rejection
   * passed on. The same request would be rejected again. The customer gets 422 with the code and the message. A
   * business "no": the call's span is not marked as an error.
   */
  export interface CheckoutErrorRejected {
    tag: 'rejected',
    val: Rejection,
  }
  /**
   * There is less of an item than the order wants. As a rule the shortage that `inventory.deduct` reported,
   * passed on. The customer gets 400 (insufficient stock) with its figures. A business "no", too.
   */
  export interface CheckoutErrorOutOfStock {
    tag: 'out-of-stock',
    val: Shortage,
  }
  /**
   * The order lost against another that was being written at the same time: a deadlock, a lock that didn't come
   * free. The same request may succeed a moment later. The customer gets 500; the call's span is an error.
   */
  export interface CheckoutErrorConflict {
    tag: 'conflict',
    val: string,
  }
  /**
   * A part that the decision needs gave no answer: as a rule `inventory-error.unavailable` passed on. The customer
   * gets 502, or, if the inventory's failure has a status of its own, that one (503, 504). The call's span is an
   * error.
   */
  export interface CheckoutErrorUnavailable {
    tag: 'unavailable',
    val: string,
  }
  /**
   * Anything else that keeps the plugin from deciding, above all the unexpected: a setting that can't be parsed, an
   * impossible state. The customer gets 502; the call's span is an error.
   */
  export interface CheckoutErrorOther {
    tag: 'other',
    val: string,
  }
}
