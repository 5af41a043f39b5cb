/// <reference path="./till-plugin-offers.d.ts" />
/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/discounts@0.2.0' {
  /**
   * Returns what the plugin would give.
   */
  export function decide(ctx: TraceContext, cart: Cart): Decision;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type LineId = import('till:plugin/types@0.2.0').LineId;
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  export type PartsPerMillion = import('till:plugin/types@0.2.0').PartsPerMillion;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  export type Choice = import('till:plugin/offers@0.2.0').Choice;
  export type Classes = import('till:plugin/offers@0.2.0').Classes;
  /**
   * How much comes off.
   */
  export type Value = ValuePercentage | ValueAmount | ValueAmountOfEach;
  /**
   * A share of the target.
   */
  export interface ValuePercentage {
    tag: 'percentage',
    val: PartsPerMillion,
  }
  /**
   * An amount off all lines of the target together, at most what is left of them.
   */
  export interface ValueAmount {
    tag: 'amount',
    val: MinorUnits,
  }
  /**
   * An amount off each piece, at most its price. On an order it is `amount`.
   */
  export interface ValueAmountOfEach {
    tag: 'amount-of-each',
    val: MinorUnits,
  }
  /**
   * A line, or some of its pieces.
   */
  export interface LineTarget {
    line: LineId,
    /**
     * The first so many pieces, at least 1; without, and past the line's quantity, all.
     */
    quantity?: number,
  }
  /**
   * What it comes off.
   */
  export type Target = TargetLines | TargetOrder;
  /**
   * These lines, each once, 1 to 100.
   */
  export interface TargetLines {
    tag: 'lines',
    val: Array<LineTarget>,
  }
  /**
   * The lines' sum after their own discounts, without these lines.
   */
  export interface TargetOrder {
    tag: 'order',
    val: Array<number>,
  }
  /**
   * One discount that an offer could give.
   */
  export interface Candidate {
    /**
     * The name for people, such as `10 % for members`. It stands on the receipt.
     */
    title: string,
    value: Value,
    target: Target,
    /**
     * The entered code that it is due to.
     */
    code?: string,
  }
  /**
   * What a plugin would give. All candidates of an offer have the same kind of target.
   */
  export interface Offer {
    /**
     * 1 to 100.
     */
    candidates: Array<Candidate>,
    /**
     * Which of them count.
     */
    choose: Choice,
    /**
     * The classes of other offers beside which this one may stand.
     */
    combinesWith: Classes,
  }
  /**
   * What is to be said of an entered code.
   */
  export type Verdict = VerdictAccepted | VerdictRefused;
  /**
   * The plugin knows the code and has an offer for it.
   */
  export interface VerdictAccepted {
    tag: 'accepted',
  }
  /**
   * The plugin knows the code, and why it counts for nothing here: a sentence for the customer.
   */
  export interface VerdictRefused {
    tag: 'refused',
    val: string,
  }
  /**
   * A code, as typed, and what is to be said of it. A code of which no plugin says anything is `unknown` to the customer.
   */
  export interface CodeVerdict {
    code: string,
    verdict: Verdict,
  }
  export interface Decision {
    /**
     * 0 to 32.
     */
    offers: Array<Offer>,
    /**
     * 0 to 16, each code of the cart at most once.
     */
    codes: Array<CodeVerdict>,
  }
}
