//! A sound component that exports nothing of Till's: refused, 422, naming both worlds and what was found.

#![expect(unsafe_code, reason = "what wit-bindgen generates for an export")]

wit_bindgen::generate!({ path: "wit/neither_world", world: "greeter" });

struct Greeter;

export!(Greeter);

impl exports::somebody::elses::greeting::Guest for Greeter {
    fn greet(name: String) -> String {
        format!("Hello {name}")
    }
}
