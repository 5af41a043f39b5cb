/// <reference path="./till-plugin-menus.d.ts" />
/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/tax@0.2.0' {
  /**
   * Returns the tax lines, at least one for each subject, 0.00 for one that is free of tax, and at most 400.
   */
  export function assess(ctx: TraceContext, question: Question): Array<TaxLine>;
  export type Cart = import('till:plugin/types@0.2.0').Cart;
  export type HookError = import('till:plugin/types@0.2.0').HookError;
  export type LineId = import('till:plugin/types@0.2.0').LineId;
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  export type PartsPerMillion = import('till:plugin/types@0.2.0').PartsPerMillion;
  export type TraceContext = import('till:plugin/types@0.2.0').TraceContext;
  export type GroupId = import('till:plugin/menus@0.2.0').GroupId;
  /**
   * What is taxed.
   */
  export type Subject = SubjectLine | SubjectDelivery;
  export interface SubjectLine {
    tag: 'line',
    val: LineId,
  }
  /**
   * The chosen delivery of a group.
   */
  export interface SubjectDelivery {
    tag: 'delivery',
    val: GroupId,
  }
  export interface Taxable {
    subject: Subject,
    /**
     * What is left of it after all discounts.
     */
    amount: MinorUnits,
    /**
     * The catalogue's tax category of the line's item; none for delivery.
     */
    category?: string,
  }
  export interface Question {
    cart: Cart,
    /**
     * Every line, and every group that has a delivery chosen.
     */
    taxables: Array<Taxable>,
  }
  export interface TaxLine {
    subject: Subject,
    /**
     * The name for people, such as `VAT 19 %`.
     */
    title: string,
    /**
     * The rate, for the record; the host doesn't compute with it. May be above 1,000,000.
     */
    rate?: PartsPerMillion,
    amount: MinorUnits,
    /**
     * Whether the subject's amount holds this tax already; else it is added.
     */
    included: boolean,
  }
}
