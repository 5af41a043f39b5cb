/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/menus@0.2.0' {
  export type Attribute = import('till:plugin/types@0.2.0').Attribute;
  export type LineId = import('till:plugin/types@0.2.0').LineId;
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  /**
   * The number of a group of lines that are delivered together, from 1.
   */
  export type GroupId = number;
  /**
   * Lines that are delivered together. Lines of which the catalogue says that they need no shipping are in none.
   */
  export interface DeliveryGroup {
    id: GroupId,
    lines: Array<number>,
  }
  /**
   * How goods reach the customer.
   * # Variants
   * 
   * ## `"shipping"`
   * 
   * ## `"local-delivery"`
   * 
   * ## `"pickup"`
   * 
   * ## `"pickup-point"`
   * 
   * ## `"digital"`
   */
  export type DeliveryKind = 'shipping' | 'local-delivery' | 'pickup' | 'pickup-point' | 'digital';
  /**
   * Days from now, counted from 0.
   */
  export interface DayRange {
    earliest: number,
    latest: number,
  }
  /**
   * A way of delivery with what it costs.
   */
  export interface DeliveryOption {
    /**
     * 1 to 64 bytes, unique among this plugin's options for the group. The host puts the installation's name and a slash before
     * it.
     */
    handle: string,
    /**
     * The name for people.
     */
    title: string,
    /**
     * More for people.
     */
    description?: string,
    kind: DeliveryKind,
    /**
     * At most `delivery.cost_max`, a setting of the shop.
     */
    cost: MinorUnits,
    days?: DayRange,
    /**
     * The shop's location or the carrier's pickup point.
     */
    location?: string,
    /**
     * What the order carries if the customer takes this option, at most 16.
     */
    attributes: Array<Attribute>,
  }
  /**
   * A group and its ways of delivery, in the order in which customers see them.
   */
  export interface DeliveryChoices {
    group: DeliveryGroup,
    options: Array<DeliveryOption>,
  }
  /**
   * Another name.
   */
  export interface Renaming {
    id: string,
    title: string,
  }
  /**
   * Another place.
   */
  export interface Move {
    id: string,
    /**
     * Counted from 0, after the entry was taken out; past the end is the end.
     */
    to: number,
  }
  /**
   * What may become of an entry. Nothing can be added, and no price changes.
   */
  export type Change = ChangeHide | ChangeRename | ChangeMove;
  export interface ChangeHide {
    tag: 'hide',
    val: string,
  }
  export interface ChangeRename {
    tag: 'rename',
    val: Renaming,
  }
  export interface ChangeMove {
    tag: 'move',
    val: Move,
  }
}
