/// <reference path="./till-plugin-types.d.ts" />
declare module 'till:plugin/facts@0.2.0' {
  /**
   * Returns who buys; none without a valid token.
   */
  export function buyer(): Customer | undefined;
  /**
   * Returns the address that the goods go to.
   */
  export function shipTo(): Address | undefined;
  /**
   * Returns the address that the invoice goes to.
   */
  export function billTo(): Address | undefined;
  /**
   * Returns the language that the client asked for, BCP 47.
   */
  export function locale(): string | undefined;
  /**
   * Returns one answer for each item, in their order; none for an item that the catalogue doesn't have. At most 200 items.
   */
  export function products(items: Array<string>): Array<Product | undefined>;
  /**
   * Returns the shop's own fields of that key, one answer for each owner. At most 200 owners. A key has a namespace, such as
   * `bundles.components`.
   */
  export function fields(owners: Array<Owner>, key: string): Array<AttributeValue | undefined>;
  export type AttributeValue = import('till:plugin/types@0.2.0').AttributeValue;
  export type MinorUnits = import('till:plugin/types@0.2.0').MinorUnits;
  /**
   * Who buys, as the shop's own login says: a signed token that the host checked, not a claim of the client's.
   */
  export interface Customer {
    /**
     * The shop's name of the customer.
     */
    id: string,
    email?: string,
    /**
     * The shop's words for the customer, such as `wholesale`.
     */
    tags: Array<string>,
    /**
     * How many orders the customer has made, if the login says so.
     */
    orders?: number,
    /**
     * The company for which the customer buys.
     */
    company?: string,
  }
  /**
   * Where something goes, as the client sent it.
   */
  export interface Address {
    name?: string,
    company?: string,
    lines: Array<string>,
    city?: string,
    /**
     * ISO 3166-2 without the country, such as `ON`.
     */
    provinceCode?: string,
    postalCode?: string,
    /**
     * ISO 3166-1 alpha-2, upper case.
     */
    countryCode: string,
    phone?: string,
  }
  /**
   * What the catalogue has of an item.
   */
  export interface Product {
    id: string,
    title: string,
    /**
     * The list price of one piece.
     */
    price?: MinorUnits,
    tags: Array<string>,
    weightGrams?: number,
    needsShipping: boolean,
    taxCategory?: string,
  }
  /**
   * Whose field.
   */
  export type Owner = OwnerShop | OwnerCustomer | OwnerProduct;
  export interface OwnerShop {
    tag: 'shop',
  }
  /**
   * The customer of this request; without one there are no fields.
   */
  export interface OwnerCustomer {
    tag: 'customer',
  }
  /**
   * An item of the catalogue.
   */
  export interface OwnerProduct {
    tag: 'product',
    val: string,
  }
}
