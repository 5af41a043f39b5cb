declare module 'till:plugin/types@0.1.0' {
  /**
   * A place in a trace, in the two headers of W3C Trace Context. It is a value and needs no closing. In this
   * package it also is the name of a span: every function that concerns a span takes its context.
   * 
   * The host owns the ids in it. A plugin passes on what it was given or what `telemetry.start-span` answered, and
   * never makes one up: see `telemetry` for what becomes of a context that is not of the call.
   */
  export interface TraceContext {
    /**
     * `00-<trace-id>-<span-id>-<flags>`, 55 characters: 32, 16 and 2 lower-case hexadecimal digits, neither id all
     * zero. Bit 0 of the flags says whether the trace is being sampled.
     */
    traceparent: string,
    /**
     * Vendors' entries, in W3C's syntax, at most 512 characters; empty if there are none. Opaque to plugins.
     */
    tracestate: string,
  }
  /**
   * An amount of money in whole minor units of the order's currency, 0 to 2^53 - 1: 9999 is 99.99 in a currency of
   * two decimals and 9999 in one of none.
   */
  export type MinorUnits = number;
  /**
   * The host's number of an order, 1 to 2^53 - 1. For spans and logs. It names nothing that a plugin could look
   * up, and it is guessable: a customer is given the order's reference instead, which plugins don't see.
   */
  export type OrderId = number;
  /**
   * A currency of ISO 4217. A host has one, so all orders that a plugin sees have the same.
   */
  export interface Currency {
    /**
     * The alphabetic code: three upper-case letters, such as `USD`.
     */
    code: string,
    /**
     * How many decimals a major unit has by ISO 4217, 0 to 4: 2 for USD, 0 for JPY, 3 for KWD.
     */
    decimals: number,
  }
  /**
   * The value of an attribute.
   */
  export type AttributeValue = AttributeValueText | AttributeValueInteger | AttributeValueDecimal | AttributeValueFlag;
  /**
   * Text; on an order at most 1 KiB.
   */
  export interface AttributeValueText {
    tag: 'text',
    val: string,
  }
  /**
   * A whole number, -2^31 to 2^31 - 1.
   */
  export interface AttributeValueInteger {
    tag: 'integer',
    val: number,
  }
  /**
   * A finite number; not for money. In telemetry an attribute that holds NaN or an infinity is dropped and
   * counted.
   */
  export interface AttributeValueDecimal {
    tag: 'decimal',
    val: number,
  }
  /**
   * Yes or no.
   */
  export interface AttributeValueFlag {
    tag: 'flag',
    val: boolean,
  }
  /**
   * A named value beside the data proper: what a client sends with an order, what a plugin puts on a span.
   */
  export interface Attribute {
    /**
     * The name, not empty; 1 to 64 bytes on an order. By custom lower case with dots, such as `coupon.code`.
     */
    key: string,
    /**
     * The value.
     */
    value: AttributeValue,
  }
  /**
   * One line of an order. Several lines of an order may name the same item.
   */
  export interface Line {
    /**
     * The item's name: 1 to 64 bytes of UTF-8 without control characters.
     */
    item: string,
    /**
     * Pieces, 1 to 10,000.
     */
    quantity: number,
    /**
     * The price of one piece, in minor units, before any adjustment.
     */
    unitPrice: MinorUnits,
    /**
     * What the client sent with this line: 0 to 32. As untrusted as the order's attributes.
     */
    attributes: Array<Attribute>,
  }
  /**
   * Pieces of an item that are requested from the stock. Several stock lines of a call may name the same item; they
   * are summed.
   */
  export interface StockLine {
    /**
     * The item's name: 1 to 64 bytes of UTF-8 without control characters.
     */
    item: string,
    /**
     * Pieces, 1 to 10,000.
     */
    quantity: number,
  }
  /**
   * What is left of an item.
   */
  export interface StockLevel {
    /**
     * The item's name.
     */
    item: string,
    /**
     * Pieces on hand after what was just taken, 0 to 2^32 - 1.
     */
    remaining: number,
  }
  /**
   * An item of which there is less than requested.
   */
  export interface Shortage {
    /**
     * The item's name.
     */
    item: string,
    /**
     * Pieces requested: the sum over all lines that name the item, so it may exceed 10,000.
     */
    requested: number,
    /**
     * Pieces on hand at that moment, fewer than `requested`; 0 for an item that the shop doesn't know.
     */
    available: number,
  }
  /**
   * Why a plugin says no.
   */
  export interface Rejection {
    /**
     * The reason for programs: a short word that stays the same from version to version, such as `coupon-expired`.
     * Not empty.
     */
    code: string,
    /**
     * The reason for people: a sentence that the customer may read.
     */
    message: string,
  }
}
