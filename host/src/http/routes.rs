//! A listener's routes: a table with a row for each operation, in the same form for both listeners.
//!
//! A new route is a new row. Everything else follows from the rows: the route of a path, the 404 and the 405 with its
//! `Allow`, the answer to `OPTIONS *`, and the links of `GET /`. A row without its operation in `openapi.json` fails a
//! test.
//!
//! Invariant: the rows of one path are adjacent, and the first of them states what all have in common.

use std::{collections::BTreeMap, future::ready, pin::Pin, sync::Arc};

use hyper::{Method, Request};
use percent_encoding::percent_decode_str;

use super::{access::Access, answer::Answer, problem::Problem};
use crate::{shop::Permits, tokens::Scope};

/// A handler's future. Boxed once, because a checkout's future is large, and hyper moves a request's future several
/// times before it runs.
pub(crate) type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// The function that answers an operation, from the listener's state and the received request.
pub(crate) type Handler<S, R> = for<'a> fn(&'a Arc<S>, R) -> Answering<'a>;

/// An operation of a listener with the state `S`, whose handlers get a request `R`. On the operators' listener each row states the scope
/// that a caller's token needs (`G` is [`Scope`]); the shop's has none.
pub(crate) struct Route<S: 'static, R: 'static, G: 'static = ()> {
    method: Method,
    /// What a caller needs for the route.
    pub(crate) needs: G,
    /// The template that `openapi.json`, metrics and spans show: a segment in braces stands for any. There is at most
    /// one.
    path: &'static str,
    /// The operation's name in `openapi.json`.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads the table, and for its test"))]
    operation: &'static str,
    pub(crate) handler: Handler<S, R>,
    /// The route's name among the links of `GET /`.
    link: Option<&'static str>,
    /// Whether the route serves machines that watch the host: answered even past the limit of connections, and without
    /// a recorded span.
    pub(crate) is_watch: bool,
    /// The permits that a request needs. While all are taken, it is refused before any work.
    pub(super) permits: Option<fn(&S) -> &Permits>,
    /// Who may call the route, if that isn't decided for the whole listener.
    pub(super) access: Option<fn(&S) -> &Access>,
    /// Whether the route calls a plugin, so that a canary may serve it.
    pub(super) calls_plugin: bool,
    /// Whether the answer has a link to the trace.
    pub(super) links_trace: bool,
}

impl<S, R> Route<S, R> {
    /// Returns a route for GET and HEAD.
    pub(crate) const fn get(path: &'static str, operation: &'static str, handler: Handler<S, R>) -> Self {
        Self::new(Method::GET, (), path, operation, handler)
    }

    pub(crate) const fn post(path: &'static str, operation: &'static str, handler: Handler<S, R>) -> Self {
        Self::new(Method::POST, (), path, operation, handler)
    }
}

impl<S, R> Route<S, R, Scope> {
    /// Returns a route for GET and HEAD.
    pub(crate) const fn get(needs: Scope, path: &'static str, operation: &'static str, handler: Handler<S, R>) -> Self {
        Self::new(Method::GET, needs, path, operation, handler)
    }

    pub(crate) const fn post(
        needs: Scope,
        path: &'static str,
        operation: &'static str,
        handler: Handler<S, R>,
    ) -> Self {
        Self::new(Method::POST, needs, path, operation, handler)
    }

    pub(crate) const fn delete(
        needs: Scope,
        path: &'static str,
        operation: &'static str,
        handler: Handler<S, R>,
    ) -> Self {
        Self::new(Method::DELETE, needs, path, operation, handler)
    }
}

impl<S, R, G> Route<S, R, G> {
    const fn new(
        method: Method,
        needs: G,
        path: &'static str,
        operation: &'static str,
        handler: Handler<S, R>,
    ) -> Self {
        Self {
            method,
            needs,
            path,
            operation,
            handler,
            link: None,
            is_watch: false,
            permits: None,
            access: None,
            calls_plugin: false,
            links_trace: false,
        }
    }

    pub(crate) const fn linked(mut self, name: &'static str) -> Self {
        self.link = Some(name);
        self
    }

    pub(crate) const fn for_watch(mut self) -> Self {
        self.is_watch = true;
        self
    }

    pub(super) const fn within(mut self, permits: fn(&S) -> &Permits) -> Self {
        self.permits = Some(permits);
        self
    }

    pub(super) const fn behind(mut self, access: fn(&S) -> &Access) -> Self {
        self.access = Some(access);
        self
    }

    pub(super) const fn calling_plugins(mut self) -> Self {
        self.calls_plugin = true;
        self
    }

    pub(super) const fn linking_its_trace(mut self) -> Self {
        self.links_trace = true;
        self
    }

    pub(super) fn takes(&self, method: &Method) -> bool {
        self.method == *method || self.method == Method::GET && *method == Method::HEAD
    }

    /// Returns the route's methods, in the form of `Allow`.
    fn allowed(&self) -> &str {
        if self.method == Method::GET { "GET, HEAD" } else { self.method.as_str() }
    }
}

/// All operations of a listener.
pub(crate) struct Routes<S: 'static, R: 'static, G: 'static = ()>(pub(crate) &'static [Route<S, R, G>]);

/// The target of a request, whatever its method.
pub(crate) enum Target<S: 'static, R: 'static, G: 'static = ()> {
    /// The whole host: `OPTIONS *` (RFC 9110, 9.3.7).
    Host,
    Path(Place<S, R, G>),
}

/// A path with its operations.
pub(crate) struct Place<S: 'static, R: 'static, G: 'static = ()> {
    /// The first of the path's rows.
    pub(crate) route: &'static Route<S, R, G>,
    routes: &'static [Route<S, R, G>],
    /// The decoded segment in place of the template's braces; empty if it has none.
    pub(crate) named: String,
}

impl<S, R, G> Routes<S, R, G> {
    /// # Errors
    /// 404 for an unknown path.
    pub(crate) fn target<B>(&self, request: &Request<B>) -> Result<Target<S, R, G>, Problem> {
        let path = request.uri().path();
        if request.method() == Method::OPTIONS && path == "*" {
            return Ok(Target::Host);
        }
        self.place(path).map(Target::Path).ok_or_else(no_route)
    }

    /// Returns the first place that the path matches.
    fn place(&self, path: &str) -> Option<Place<S, R, G>> {
        self.places().find_map(|routes| {
            let route = routes.first()?;
            let named = percent_decode_str(named(route.path, path)?).decode_utf8().ok()?.into_owned();
            Some(Place { route, routes, named })
        })
    }

    fn places(&self) -> impl Iterator<Item = &'static [Route<S, R, G>]> {
        self.0.chunk_by(|route, next| route.path == next.path)
    }

    /// Returns the methods of all routes, for `OPTIONS *`.
    pub(crate) fn allowed(&self) -> String {
        allowed(self.0) + ", OPTIONS"
    }

    /// Returns the paths by their links' names, for `GET /`.
    pub(crate) fn links(&self) -> BTreeMap<&'static str, &'static str> {
        self.0.iter().filter_map(|route| Some((route.link?, route.path))).collect()
    }
}

impl<S, R, G> Target<S, R, G> {
    /// Returns the path's template, for spans and metrics.
    pub(crate) const fn template(&self) -> &'static str {
        match self {
            Self::Host => "*",
            Self::Path(place) => place.route.path,
        }
    }

    /// Returns the first row of the path; `None` for the whole host.
    pub(crate) const fn route(&self) -> Option<&'static Route<S, R, G>> {
        match self {
            Self::Host => None,
            Self::Path(place) => Some(place.route),
        }
    }
}

impl<S, R, G> Place<S, R, G> {
    /// # Errors
    /// 405 for a method that the path doesn't have.
    pub(crate) fn operation(&self, method: &Method) -> Result<&'static Route<S, R, G>, Problem> {
        let operation = self.routes.iter().find(|route| route.takes(method));
        operation.ok_or_else(|| Problem::method_not_allowed(&self.allowed()))
    }

    /// Returns the path's methods, in the form of `Allow`.
    pub(crate) fn allowed(&self) -> String {
        allowed(self.routes)
    }
}

/// Returns the answer to an unknown path.
pub(crate) fn no_route() -> Problem {
    Problem::not_found("there is no such route; GET / lists them")
}

/// Wraps an answer that is ready at once as a handler's future.
pub(crate) fn at_once<'a>(answer: Answer) -> Answering<'a> {
    Box::pin(ready(answer))
}

fn allowed<S, R, G>(routes: &[Route<S, R, G>]) -> String {
    let mut methods = Vec::new();
    for allowed in routes.iter().map(Route::allowed) {
        if !methods.contains(&allowed) {
            methods.push(allowed);
        }
    }
    methods.join(", ")
}

/// Returns the segment of the path in place of the template's braces, empty if it has none; `None` if the path doesn't
/// match.
fn named<'a>(template: &str, path: &'a str) -> Option<&'a str> {
    let mut named = "";
    let mut segments = path.split('/');
    for wanted in template.split('/') {
        let segment = segments.next()?;
        if wanted.starts_with('{') {
            named = segment;
        } else if segment != wanted {
            return None;
        }
    }
    segments.next().is_none().then_some(named)
}

/// What `openapi.json` gets from a row.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Documented {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) operation: &'static str,
    /// Whether the route needs a token of its own.
    pub(crate) is_guarded: bool,
    /// The scope that a caller's token needs; `None` on the shop's listener.
    pub(crate) needs: Option<Scope>,
    /// The methods of its path.
    pub(crate) allowed: String,
}

#[cfg(test)]
impl From<()> for NeededScope {
    fn from((): ()) -> Self {
        Self(None)
    }
}

#[cfg(test)]
impl From<Scope> for NeededScope {
    fn from(scope: Scope) -> Self {
        Self(Some(scope))
    }
}

/// The scope that a row states, if its listener has scopes.
#[cfg(test)]
pub(crate) struct NeededScope(Option<Scope>);

#[cfg(test)]
impl<S, R, G: Copy + Into<NeededScope>> Routes<S, R, G> {
    /// Returns the rows for `openapi.json`.
    pub(crate) fn documented(&self) -> Vec<Documented> {
        let operations: std::collections::BTreeSet<_> = self.0.iter().map(|route| route.operation).collect();
        assert_eq!(operations.len(), self.0.len(), "each operation has a name of its own");
        let paths: std::collections::BTreeSet<_> = self.0.iter().map(|route| route.path).collect();
        assert_eq!(self.places().count(), paths.len(), "the operations of a path stand together");
        let documented = |routes: &'static [Route<S, R, G>]| {
            routes.iter().map(move |route| Documented {
                method: route.method.as_str(),
                path: route.path,
                operation: route.operation,
                is_guarded: route.access.is_some(),
                needs: route.needs.into().0,
                allowed: allowed(routes),
            })
        };
        self.places().flat_map(documented).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = Route<(), (), Scope>;

    static ROUTES: Routes<(), (), Scope> = Routes(&[
        Row::get(Scope::Read, "/", "home", |_, ()| at_once(Err(no_route()))).linked("home"),
        Row::get(Scope::Read, "/plugins", "plugins", |_, ()| at_once(Err(no_route()))).linked("plugins"),
        Row::post(Scope::Read, "/plugins", "deploy", |_, ()| at_once(Err(no_route()))),
        Row::get(Scope::Read, "/plugins/{kind}", "plugin", |_, ()| at_once(Err(no_route()))),
        Row::get(Scope::Read, "/plugins/rollout", "hidden", |_, ()| at_once(Err(no_route()))),
        Row::post(Scope::Read, "/stock/{item}", "changeStock", |_, ()| at_once(Err(no_route()))),
        Row::delete(Scope::Read, "/stock/{item}", "removeStock", |_, ()| at_once(Err(no_route()))),
    ]);

    #[test]
    fn a_path_is_the_first_place_that_it_fits() {
        let check = |path: &str, expected: Option<(&str, &str)>| {
            let place = ROUTES.place(path);
            let found = place.as_ref().map(|place| (place.route.path, &*place.named));
            assert_eq!(found, expected, "{path}");
        };
        check("/", Some(("/", "")));
        check("/plugins", Some(("/plugins", "")));
        check("/plugins/rollout", Some(("/plugins/{kind}", "rollout")));
        check("/stock/a%20b", Some(("/stock/{item}", "a b")));
        check("/stock/", Some(("/stock/{item}", "")));
        for path in ["", "*", "stock", "/stock/a/b", "/plugins/", "/nothing", "/stock/%ff", "//", "/%70lugins"] {
            check(path, if path == "/plugins/" { Some(("/plugins/{kind}", "")) } else { None });
        }
    }

    #[test]
    fn what_a_path_allows_follows_from_its_rows() {
        let check = |method: &str, path: &str, expected: Result<&str, &str>| {
            let place = ROUTES.place(path).expect("a place");
            let operation = place.operation(&Method::from_bytes(method.as_bytes()).expect("a method"));
            match expected {
                Ok(name) => assert_eq!(operation.map(|route| route.operation).ok(), Some(name), "{method} {path}"),
                Err(allowed) => {
                    assert_eq!(operation.err().expect("refused").status(), 405, "{method} {path}");
                    assert_eq!(place.allowed(), allowed, "{method} {path}");
                }
            }
        };
        check("GET", "/plugins", Ok("plugins"));
        check("HEAD", "/plugins", Ok("plugins"));
        check("POST", "/plugins", Ok("deploy"));
        check("DELETE", "/stock/a", Ok("removeStock"));
        check("POST", "/", Err("GET, HEAD"));
        check("PUT", "/plugins", Err("GET, HEAD, POST"));
        check("HEAD", "/stock/a", Err("POST, DELETE"));
        check("post", "/stock/a", Err("POST, DELETE"));
        assert_eq!(ROUTES.allowed(), "GET, HEAD, POST, DELETE, OPTIONS");
        assert_eq!(ROUTES.links(), BTreeMap::from([("home", "/"), ("plugins", "/plugins")]));
    }

    #[test]
    fn only_options_asks_for_the_host_as_a_whole() {
        let target = |method: &str| {
            let request = Request::builder().method(method).uri("*").body(()).expect("a request");
            ROUTES.target(&request).map(|target| target.template())
        };
        assert_eq!(target("OPTIONS").ok(), Some("*"));
        assert_eq!(target("POST").err().map(|problem| problem.status().as_u16()), Some(404));
    }
}
