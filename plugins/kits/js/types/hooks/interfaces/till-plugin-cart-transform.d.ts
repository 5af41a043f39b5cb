/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/cart-transform@0.2.0' {
  /**
   * Returns the changes, 0 to 200.
   */
  export function transform(ctx: TraceContext, cart: Cart): Array<Operation>;
  export type Attribute = import('till:plugin/types@0.2.0').Attribute;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type LineId = import('till:plugin/types@0.2.0').LineId;
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  export type PartsPerMillion = import('till:plugin/types@0.2.0').PartsPerMillion;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  /**
   * A part of what an `expand` makes of a line, or a line of an `add`.
   */
  export interface Component {
    /**
     * An item that the catalogue or the stock knows.
     */
    item: string,
    /**
     * Pieces, 1 to 10,000; in an expansion of one piece of the line.
     */
    quantity: number,
    /**
     * The price of one piece. In an expansion either all components have one, and their sum is the bundle's price, or none: then the
     * line's price is shared in proportion to the catalogue's prices, by largest remainder. A share that doesn't divide by the
     * pieces makes two lines of one component, a minor unit apart. An added line without a price has the catalogue's.
     */
    unitPrice?: MinorUnits,
    /**
     * The name for people; the catalogue's without.
     */
    title?: string,
    /**
     * What the line carries, at most 32.
     */
    attributes: Array<Attribute>,
  }
  /**
   * A bundle that becomes its components.
   */
  export interface Expansion {
    /**
     * The line. All its pieces are expanded.
     */
    line: LineId,
    /**
     * 1 to 32.
     */
    components: Array<Component>,
    /**
     * What the components cost less than their sum; rounded half up once for a piece of the bundle, and shared over the components.
     */
    decrease?: PartsPerMillion,
  }
  /**
   * Pieces of a line that go into one bundle.
   */
  export interface Part {
    line: LineId,
    /**
     * Pieces for one bundle, at least 1.
     */
    quantity: number,
  }
  /**
   * Lines that become a bundle.
   */
  export interface Merger {
    /**
     * 1 to 32, each line once. What a line has beyond these pieces stays a line of its own, under its id.
     */
    parts: Array<Part>,
    /**
     * How many bundles, at least 1.
     */
    quantity: number,
    /**
     * What the customer sees instead. It need not be in the stock.
     */
    item: string,
    /**
     * The name for people; the catalogue's, or the item, without.
     */
    title?: string,
    /**
     * What one bundle costs less than its parts, rounded half up once.
     */
    decrease?: PartsPerMillion,
    /**
     * What the line carries, at most 32.
     */
    attributes: Array<Attribute>,
  }
  /**
   * Another price or name for a line.
   */
  export interface Update {
    line: LineId,
    /**
     * The name for people.
     */
    title?: string,
    /**
     * The price of one piece.
     */
    unitPrice?: MinorUnits,
  }
  /**
   * One change to the cart.
   */
  export type Operation = OperationExpand | OperationMerge | OperationUpdate | OperationAdd;
  /**
   * A line becomes its components.
   */
  export interface OperationExpand {
    tag: 'expand',
    val: Expansion,
  }
  /**
   * Lines become a bundle.
   */
  export interface OperationMerge {
    tag: 'merge',
    val: Merger,
  }
  /**
   * A line gets another price or name.
   */
  export interface OperationUpdate {
    tag: 'update',
    val: Update,
  }
  /**
   * A line that the customer didn't ask for: a gift, a deposit, an insurance.
   */
  export interface OperationAdd {
    tag: 'add',
    val: Component,
  }
}
