/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/checkout@0.1.0' {
  /**
   * Prices the order, or says why there is no sale.
   * 
   * To answer ok a plugin calls `inventory.deduct` exactly once, for exactly what the order's lines sell, summed
   * by item, and that call has to succeed. An ok without it, for fewer or other pieces, or after a shortage is no
   * sale: 502 `bad_output`. A second `deduct` ends the call in the same way, whatever the first one answered. A
   * plugin that answers an error need not have asked: reject first, deduct last.
   * 
   * The host commits after an ok: the order COMPLETED and the stock gone for good, in one transaction. If it can't, there is no sale although the plugin said ok. If the
   * plugin traps or reaches a limit after its `deduct` succeeded, the stock goes back.
   * 
   * The host doesn't repeat a call for one order, and has other orders' calls running beside it. A customer who
   * hangs up changes nothing: the call runs to its end.
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
   * An order that the host has accepted and recorded as PENDING.
   */
  export interface Order {
    /**
     * The host's number of it.
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
     * What the client sent beside the lines: coupons, identity, the shop's own fields; 0 to 32. The host doesn't
     * read them. A client wrote them: take a customer group or a coupon in them as a claim.
     */
    attributes: Array<Attribute>,
  }
  /**
   * What an adjustment does to the total.
   * # Variants
   * 
   * ## `"subtract"`
   * 
   * The amount comes off: a discount. All of these together are at most `checkout.discount_max_percent` of the
   * lines' sum, a setting of the shop, 50 by default.
   * ## `"add"`
   * 
   * The amount comes on top: tax on net prices, shipping.
   * ## `"included"`
   * 
   * The amount is stated and changes nothing: tax that the prices hold already.
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
     * The line that it belongs to, as an index into `order.lines` from 0; without one it belongs to the whole
     * order. An index past the last line makes the receipt a bad one.
     */
    line?: number,
  }
  /**
   * What the order costs. The host believes it only if the figures hold:
   * 
   * - `total` is the lines' sum minus every `subtract` plus every `add`; `included` changes nothing;
   * - every amount and every sum, that of `included` too, is below 2^53, and the total isn't below 0;
   * - what is subtracted is at most `checkout.discount_max_percent` (default 50) of the lines' sum;
   * - what was taken out of the stock for the order is what its lines sell, summed by item.
   * 
   * If one of them doesn't, the customer gets 502 with the code `bad_output`, the order is FAILED and its stock is
   * back.
   */
  export interface Receipt {
    /**
     * What was changed, and what is stated beside it; often empty. At most `limits.receipt_adjustments` of them, a
     * setting of the host, 400 by default; more make the receipt a bad one.
     */
    adjustments: Array<Adjustment>,
    /**
     * What the customer pays, in minor units.
     */
    total: MinorUnits,
    /**
     * What else there is to say about the decision; often empty. The host keeps it with the order and doesn't read
     * it; one that holds NaN or an infinity is left out. At most `limits.receipt_attributes` of them, 64 by default;
     * more make the receipt a bad one, and so does one without a key.
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
   * The shop doesn't sell this order as it stands: an expired coupon, too many pieces for one customer, an
   * inventory's rejection passed on. For what the same request would meet again. The customer gets 422 with the
   * code and the message. A business "no": the call's span is not marked as an error.
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
   * A part that the decision needs didn't get to an answer: as a rule `inventory-error.unavailable` passed on. The
   * customer gets 502, or, if the inventory's failure has a status of its own, that one (503, 504). The call's
   * span is an error.
   */
  export interface CheckoutErrorUnavailable {
    tag: 'unavailable',
    val: string,
  }
  /**
   * Anything else that keeps the plugin from deciding, above all what it can't explain: a setting that can't be
   * read, a state that shouldn't be. The customer gets 502; the call's span is an error.
   */
  export interface CheckoutErrorOther {
    tag: 'other',
    val: string,
  }
}
