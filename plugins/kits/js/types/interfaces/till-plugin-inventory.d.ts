/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/inventory@0.1.0' {
  /**
   * Takes the lines out of the stock, all of them or none, and answers what is left of each item.
   * 
   * The caller, a checkout plugin, calls it exactly once on its way to an ok, with exactly what the order's lines
   * sell, summed by item. Hand the order's lines over as they are: adding up lines of one item is neither needed
   * nor always possible, for a stock line holds at most 10,000 pieces. `ctx` is the call's span or one that the
   * plugin started below it; the span of the inventory's call becomes its child.
   * 
   * The callee, an inventory plugin, calls `stock.take` once, for exactly `lines` summed by item, before it
   * answers ok. An ok without it, or with other pieces, is no sale: 502 `bad_output`. If it answers an error after
   * its `take` succeeded, the stock goes back. `ctx` is its own span, `inventory_deduct_span`.
   * 
   * 1 to 100 lines. The answer has one level for each item, not for each line, in no particular order.
   */
  export function deduct(ctx: TraceContext, lines: Array<StockLine>): Array<StockLevel>;
  export type Rejection = import('till:plugin/types@0.1.0').Rejection;
  export type Shortage = import('till:plugin/types@0.1.0').Shortage;
  export type StockLevel = import('till:plugin/types@0.1.0').StockLevel;
  export type StockLine = import('till:plugin/types@0.1.0').StockLine;
  export type TraceContext = import('till:plugin/types@0.1.0').TraceContext;
  /**
   * Why nothing is taken. The order becomes FAILED in every case: without its goods an ok is no sale.
   * 
   * A checkout plugin as a rule passes the error on as the `checkout-error` of the same name. The customer then gets
   * the HTTP status given here, and another till gets the same one from `POST /inventory/deduct`.
   */
  export type InventoryError = InventoryErrorOutOfStock | InventoryErrorRejected | InventoryErrorConflict | InventoryErrorUnavailable | InventoryErrorOther;
  /**
   * There is less of an item than requested. As a rule the shortage that `stock.take` reported; an inventory that
   * keeps some pieces back may report its own figures. 400 (insufficient stock). A business "no": the call's span is
   * not marked as an error.
   */
  export interface InventoryErrorOutOfStock {
    tag: 'out-of-stock',
    val: Shortage,
  }
  /**
   * The inventory refuses these lines although they may be on hand: a blocked item, a limit for one order. The same
   * lines would be refused again. 422 with the code and the message. A business "no", too.
   */
  export interface InventoryErrorRejected {
    tag: 'rejected',
    val: Rejection,
  }
  /**
   * The lines lost against a write at the same time: a deadlock, a lock that didn't come free. The same lines
   * may succeed a moment later. 500; the call's span is an error.
   */
  export interface InventoryErrorConflict {
    tag: 'conflict',
    val: string,
  }
  /**
   * The inventory gave no answer. From an inventory plugin: something that it needs doesn't work. From the host, to
   * a checkout plugin: another till can't be reached, took too long or gave an invalid answer, or an inventory
   * plugin trapped or reached a limit. Whether stock was taken may be unknown then; the host has it given back, and
   * whatever the checkout plugin answers there is no sale. 502, unless the cause has a status of its own (504 for a
   * deadline, 503 for a store or a plugin that takes no calls); the call's span is an error.
   */
  export interface InventoryErrorUnavailable {
    tag: 'unavailable',
    val: string,
  }
  /**
   * Anything else that keeps the inventory from deciding. 502; the call's span is an error.
   */
  export interface InventoryErrorOther {
    tag: 'other',
    val: string,
  }
}
