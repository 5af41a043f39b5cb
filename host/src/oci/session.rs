//! The requests that are made of one repository: who asks is said once, redirects are followed within limits, and answers are read
//! within limits.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION},
};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{
    DOCUMENT_BYTES_MAX, Digest, OciError, Reference, Rules,
    credentials::{self, Credentials, Found},
    token::{self, Challenge},
    wire::{Wire, read},
};

/// Where Docker Hub's registry is, which has another name than references have.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// One pull or push.
pub(super) struct Session<'a> {
    wire: &'a Wire,
    pub(super) rules: &'a Rules,
    pub(super) reference: &'a Reference,
    /// What a token has to permit.
    actions: &'static str,
    granted: Mutex<Granted>,
}

/// What the registry has been told of who asks.
#[derive(Default)]
struct Granted {
    authorization: Option<HeaderValue>,
    /// Where the credentials are from; `None` if there were none.
    source: Option<String>,
    looked: Option<String>,
}

/// What is asked of a registry.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// For messages.
    pub(super) what: &'a str,
    pub(super) accept: &'static str,
    /// With its type.
    pub(super) body: Option<(Bytes, &'static str)>,
}

/// An answer whose body isn't read yet.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What answered, at the end of all redirects.
    pub(super) url: Url,
    body: Incoming,
}

/// How a registry says what is wrong.
#[derive(Default, Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<Detail>,
}

#[derive(Default, Deserialize)]
struct Detail {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl<'a> Session<'a> {
    pub(super) fn new(wire: &'a Wire, rules: &'a Rules, reference: &'a Reference, actions: &'static str) -> Self {
        Self { wire, rules, reference, actions, granted: Mutex::default() }
    }

    pub(super) fn registry(&self) -> String {
        self.reference.registry().to_owned()
    }

    /// Returns whether the registry is spoken to without TLS.
    fn is_plain(&self) -> bool {
        self.rules.plain_http.contains_registry(self.reference.registry())
    }

    /// Returns the address of something in the repository.
    ///
    /// # Errors
    /// If the registry's host can't stand in an address.
    pub(super) fn url(&self, path: &str) -> Result<Url, OciError> {
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        let scheme = if self.is_plain() { "http" } else { "https" };
        let host = if registry == "docker.io" { DOCKER_HUB } else { registry };
        let url = Url::parse(&format!("{scheme}://{host}/v2/{repository}/{path}"));
        url.map_err(|error| self.unusable("its address", &error.to_string()))
    }

    /// Returns the answer to a request. Only a GET or a HEAD is redirected.
    ///
    /// # Errors
    /// If there is none, or the registry refuses who asks.
    pub(super) async fn ask(&self, url: Url, ask: &Ask<'_>) -> Result<Answer, OciError> {
        let (mut at, mut redirects, mut challenged) = (url, 0, false);
        loop {
            let is_home = self.is_home(&at)?;
            let mut request = Request::builder().method(&ask.method).uri(at.as_str());
            if !ask.accept.is_empty() {
                request = request.header(ACCEPT, ask.accept);
            }
            if let Some((_, content_type)) = &ask.body {
                request = request.header(CONTENT_TYPE, *content_type);
            }
            if is_home && let Some(authorization) = &self.granted.lock().await.authorization {
                request = request.header(AUTHORIZATION, authorization);
            }
            let bytes = ask.body.as_ref().map(|(bytes, _)| bytes.clone()).unwrap_or_default();
            let request =
                request.body(Full::new(bytes)).map_err(|error| self.unusable(ask.what, &error.to_string()))?;
            let answer = self.wire.send(request).await.map_err(|reason| unreachable(&at, reason))?;
            let (parts, body) = answer.into_parts();
            let answer = Answer { status: parts.status, headers: parts.headers, url: at.clone(), body };
            match answer.status {
                StatusCode::UNAUTHORIZED if is_home && !challenged => {
                    challenged = true;
                    self.authorize(&answer.headers).await?;
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if is_home => return Err(self.refused(answer).await),
                status if status.is_redirection() && (ask.method == Method::GET || ask.method == Method::HEAD) => {
                    redirects += 1;
                    if redirects > self.rules.redirects_max {
                        return Err(OciError::Redirects { registry: self.registry(), max: self.rules.redirects_max });
                    }
                    at = self.location(&answer, ask.what)?;
                }
                _ => return Ok(answer),
            }
        }
    }

    /// Returns the place that an answer leads to.
    ///
    /// # Errors
    /// If it is none, or may not be asked.
    pub(super) fn location(&self, answer: &Answer, what: &str) -> Result<Url, OciError> {
        let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok());
        let to = location.and_then(|location| answer.url.join(location).ok());
        let to = to.filter(|to| matches!(to.scheme(), "http" | "https") && to.has_host());
        let mut to = to.ok_or_else(|| self.unusable(what, "it leads elsewhere and doesn't say where"))?;
        if to.scheme() == "http" && !self.rules.plain_http.contains(&to) {
            return Err(OciError::NotHttps { from: place(&answer.url), to: place(&to) });
        }
        // Credentials in an address would be sent to whoever it names.
        if to.set_username("").is_err() || to.set_password(None).is_err() {
            return Err(self.unusable(what, "it leads to an address that can't be used"));
        }
        Ok(to)
    }

    /// Returns whether the address is the registry's own: only that one gets its credentials.
    fn is_home(&self, url: &Url) -> Result<bool, OciError> {
        Ok(self.url("")?.origin() == url.origin())
    }

    /// Gets what the registry wants to be told of who asks.
    async fn authorize(&self, headers: &HeaderMap) -> Result<(), OciError> {
        const WHAT: &str = "a request without credentials";
        let challenge = Challenge::of(headers).map_err(|reason| self.unusable(WHAT, &reason))?;
        let (registry, repository) = (self.reference.registry(), self.reference.repository());
        let Found { credentials, looked } =
            credentials::find(registry, repository, self.rules.credentials_file.as_deref()).await?;
        let authorization = match (challenge, &credentials) {
            (Challenge::Basic, Some(credentials @ Credentials::Basic { .. })) => token::basic(credentials),
            (Challenge::Basic, _) => return Err(self.no_credentials(looked)),
            (Challenge::Bearer { realm, service }, credentials) => {
                if realm.scheme() != "https" && !self.rules.plain_http.contains(&realm) {
                    return Err(OciError::NotHttps { from: registry.to_owned(), to: place(&realm) });
                }
                let scope = format!("repository:{repository}:{}", self.actions);
                let ask = token::Ask::new(realm, service.as_deref(), &scope, credentials.as_ref());
                self.token(ask, credentials.is_some(), &looked).await?
            }
        };
        let authorization = authorization.ok_or_else(|| self.unusable(WHAT, "its token can't be sent back to it"))?;
        let mut granted = self.granted.lock().await;
        granted.authorization = Some(authorization);
        granted.source = credentials.is_some().then(|| looked.clone());
        granted.looked = Some(looked);
        Ok(())
    }

    /// Asks for a token. A redirect isn't followed: the request has credentials.
    async fn token(&self, ask: token::Ask, known: bool, looked: &str) -> Result<Option<HeaderValue>, OciError> {
        let what = format!("a request for a token at {}", place(&ask.url));
        let mut request = Request::builder().uri(ask.url.as_str()).method(if ask.form.is_some() {
            Method::POST
        } else {
            Method::GET
        });
        if let Some(authorization) = ask.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if ask.form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let body = Full::new(Bytes::from(ask.form.unwrap_or_default()));
        let request = request.body(body).map_err(|error| self.unusable(&what, &error.to_string()))?;
        let (parts, body) = self.wire.send(request).await.map_err(|reason| unreachable(&ask.url, reason))?.into_parts();
        let answer = Answer { status: parts.status, headers: parts.headers, url: ask.url, body };
        match answer.status {
            StatusCode::OK => {
                let bytes = self.document(answer, &what).await?;
                Ok(Some(token::bearer(&bytes).ok_or_else(|| self.unusable(&what, "there is no token in it"))?))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST if known => {
                Err(self.bad_credentials(looked.to_owned(), answer.detail().await))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.no_credentials(looked.to_owned())),
            _ => Err(self.answered(answer, &what).await),
        }
    }

    /// Returns a manifest, a list or a token.
    ///
    /// # Errors
    /// If it is too long, or ends early.
    pub(super) async fn document(&self, answer: Answer, what: &str) -> Result<Bytes, OciError> {
        self.bytes(answer, what, DOCUMENT_BYTES_MAX, "").await
    }

    /// Returns the bytes of an answer.
    ///
    /// # Errors
    /// As [`document`](Self::document).
    pub(super) async fn bytes(
        &self,
        answer: Answer,
        what: &str,
        bytes_max: usize,
        setting: &'static str,
    ) -> Result<Bytes, OciError> {
        let read = read(answer.body, bytes_max).await.map_err(|reason| unreachable(&answer.url, reason))?;
        read.ok_or_else(|| OciError::TooLarge { what: what.to_owned(), bytes_max, setting })
    }

    /// Checks that bytes are what was asked for.
    ///
    /// # Errors
    /// If they have another digest.
    pub(super) fn verified(&self, bytes: Bytes, wanted: &Digest, what: &str) -> Result<Bytes, OciError> {
        let found = Digest::of(&bytes);
        if found == *wanted {
            return Ok(bytes);
        }
        let (registry, what, wanted) = (self.registry(), what.to_owned(), wanted.clone());
        Err(OciError::OtherBytes { registry, what, wanted, found })
    }

    /// Returns the error of an answer that isn't what was asked for.
    pub(super) async fn answered(&self, answer: Answer, what: &str) -> OciError {
        let (status, registry, what) = (answer.status.as_u16(), self.registry(), what.to_owned());
        let advice = match status {
            400 if self.is_plain() => {
                "; it was asked without TLS (oci.plain_http): if it has a certificate, let oci.plain_http name other registries"
            }
            429 => "; it takes no more requests from here for now: log in, or ask less often",
            _ => "",
        };
        OciError::Answered { registry, what, status, detail: format!("{}{advice}", answer.detail().await) }
    }

    pub(super) fn unusable(&self, what: &str, reason: &str) -> OciError {
        OciError::Unusable { registry: self.registry(), what: what.to_owned(), reason: reason.to_owned() }
    }

    async fn refused(&self, answer: Answer) -> OciError {
        let (source, looked) = {
            let granted = self.granted.lock().await;
            (granted.source.clone(), granted.looked.clone())
        };
        match source {
            Some(source) => self.bad_credentials(source, answer.detail().await),
            None => self.no_credentials(looked.unwrap_or_else(|| "no file".to_owned())),
        }
    }

    fn no_credentials(&self, looked: String) -> OciError {
        let repository = self.reference.repository().to_owned();
        OciError::NoCredentials { registry: self.registry(), repository, looked }
    }

    fn bad_credentials(&self, source_name: String, detail: String) -> OciError {
        let repository = self.reference.repository().to_owned();
        OciError::Credentials { registry: self.registry(), repository, source_name, detail }
    }
}

impl Answer {
    /// Returns what the registry says is wrong, cut and without control characters.
    pub(super) async fn detail(self) -> String {
        let Ok(Some(body)) = read(self.body, DOCUMENT_BYTES_MAX).await else { return String::new() };
        let Errors { errors } = serde_json::from_slice(&body).unwrap_or_default();
        let said = errors.iter().map(|Detail { code, message }| format!("{code} {message}")).collect::<Vec<_>>();
        let said: String = said.join(", ").chars().filter(|letter| !letter.is_control()).take(200).collect();
        if said.trim().is_empty() { String::new() } else { format!(": {}", said.trim()) }
    }
}

/// Returns an address without its query, which often has a signature in it.
fn place(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

fn unreachable(url: &Url, reason: String) -> OciError {
    OciError::Unreachable { registry: url.origin().ascii_serialization(), reason }
}
