declare module 'till:plugin/types@0.2.0' {
  /**
   * A place in a trace, in the two headers of W3C Trace Context. The same as in track 0.1.
   */
  export interface TraceContext {
    /**
     * `00-<trace-id>-<span-id>-<flags>`, 55 characters.
     */
    traceparent: string,
    /**
     * Vendors' entries, in W3C's syntax, at most 512 characters; empty if there are none.
     */
    tracestate: string,
  }
  /**
   * An amount of money in whole minor units of the cart's currency, 0 to 2^53 - 1.
   */
  export type MinorUnits = number;
  /**
   * A share of something, 0 to 1,000,000 where no other bound is stated: 1,000,000 is all of it, 105,000 is 10.5 %, 88,750 is a
   * tax of 8.875 %. It is never a float.
   */
  export type PartsPerMillion = number;
  /**
   * A currency of ISO 4217. A host has one.
   */
  export interface Currency {
    /**
     * The alphabetic code: three upper-case letters, such as `USD`.
     */
    code: string,
    /**
     * How many decimals a major unit has, 0 to 4.
     */
    decimals: number,
  }
  /**
   * The value of an attribute.
   */
  export type AttributeValue = AttributeValueText | AttributeValueInteger | AttributeValueDecimal | AttributeValueFlag | AttributeValueJson;
  /**
   * Text; on a cart at most 1 KiB.
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
   * A finite number; not for money.
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
   * Text that the host has read as JSON: at most 16 KiB, 16 levels deep. What an attribute of track 0.1 can't hold.
   */
  export interface AttributeValueJson {
    tag: 'json',
    val: string,
  }
  /**
   * A named value.
   */
  export interface Attribute {
    /**
     * The name, not empty; 1 to 64 bytes on a cart.
     */
    key: string,
    /**
     * The value.
     */
    value: AttributeValue,
  }
  /**
   * The host's number of a line in this request. It stays the same at all hooks of a request. A line that a transform makes has a
   * number of its own, above those of all lines before it.
   */
  export type LineId = number;
  /**
   * What is bought of one item.
   */
  export interface Line {
    /**
     * The number by which an answer names this line.
     */
    id: LineId,
    /**
     * What the catalogue knows it by: 1 to 64 bytes of UTF-8 without control characters. A bundle's need not be in the stock.
     */
    item: string,
    /**
     * The name for people: the transform's, else the catalogue's, else the item.
     */
    title: string,
    /**
     * Pieces, 1 to 10,000.
     */
    quantity: number,
    /**
     * The price of one piece, after the transforms so far and before any discount.
     */
    unitPrice: MinorUnits,
    /**
     * The line of which this is a component, after an `expand`. That line is no longer in the cart.
     */
    bundle?: LineId,
    /**
     * What the client sent with this line: 0 to 32. Claims, not facts.
     */
    attributes: Array<Attribute>,
  }
  /**
   * Whether an order can come of it. A plugin has no reason to answer differently; it is told so that what it logs is right.
   * # Variants
   * 
   * ## `"quote"`
   * 
   * ## `"checkout"`
   */
  export type Purpose = 'quote' | 'checkout';
  /**
   * A cart, as the hooks before this one left it.
   */
  export interface Cart {
    /**
     * What the cart is asked about for.
     */
    purpose: Purpose,
    /**
     * The time of the request, milliseconds since 1970-01-01T00:00:00Z. The same at all its hooks.
     */
    atMs: number,
    /**
     * The currency of every amount.
     */
    currency: Currency,
    /**
     * 1 to 100 lines. The sum of quantity times unit price is below 2^53.
     */
    lines: Array<Line>,
    /**
     * What the client sent besides: 0 to 32. Claims; what the shop itself knows is in `facts`.
     */
    attributes: Array<Attribute>,
    /**
     * Codes that the customer entered, as typed, 0 to 16, each of 1 to 64 bytes.
     */
    codes: Array<string>,
  }
  /**
   * Why a hook has no answer. What becomes of the request then is the hook's rule and the operator's, never the plugin's choice.
   * The texts are for the operator.
   */
  export type HookError = HookErrorUnavailable | HookErrorOther;
  /**
   * Something that the decision needs doesn't answer. A request that fails for it is answered with 503.
   */
  export interface HookErrorUnavailable {
    tag: 'unavailable',
    val: string,
  }
  /**
   * Anything else: a setting that can't be read, an impossible state. 502.
   */
  export interface HookErrorOther {
    tag: 'other',
    val: string,
  }
}
