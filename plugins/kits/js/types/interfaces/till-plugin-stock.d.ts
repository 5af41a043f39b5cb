/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/stock@0.1.0' {
  /**
   * Returns how many pieces of an item are on hand, or none for an item that the shop doesn't know; so also for a
   * text that can't be an item's name.
   * 
   * The level is a hint and out of date at once, because other orders take from the same stock. It never replaces the
   * answer of `take`, which checks and takes in one step.
   */
  export function level(ctx: TraceContext, item: string): number | undefined;
  /**
   * Takes the lines out of the stock, all of them or none, and returns what is left of each item.
   * 
   * The host sums the lines by item, takes the pieces in one step and reserves them for the order of this call;
   * they are sold when the host commits the order, and go back if it doesn't. Two calls can't take the same piece.
   * 
   * Call it once, for exactly what `inventory.deduct` was asked for. A second `take` ends the call, whatever the
   * first one answered: 502 `bad_output`.
   * 
   * 1 to 100 lines. The answer has one level for each item, not for each line, in no particular order. The error
   * names one item of which there isn't enough, with the pieces asked for summed over its lines; nothing was taken
   * then.
   */
  export function take(ctx: TraceContext, lines: Array<StockLine>): Array<StockLevel>;
  export type Shortage = import('till:plugin/types@0.1.0').Shortage;
  export type StockLevel = import('till:plugin/types@0.1.0').StockLevel;
  export type StockLine = import('till:plugin/types@0.1.0').StockLine;
  export type TraceContext = import('till:plugin/types@0.1.0').TraceContext;
}
