// A plugin in Go is what its exports decide: see exports/export_till_plugin_validation.
package main

import _ "till/bindings/wit_exports"

func main() {}
