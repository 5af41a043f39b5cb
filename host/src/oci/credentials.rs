//! Who a registry is told that asks: what `docker login` left in Docker's `config.json`, or a file in that form.
//!
//! As Docker does, a helper that is set for the registry comes first, then the store for all, then what stands in the file itself.
//! Podman's `auth.json` has the same form.

use std::{
    fmt,
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use tokio::{io::AsyncWriteExt, process::Command};

use super::OciError;

/// The longest file, bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The name under which Docker keeps the login of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// What a helper answers instead of a user's name if its secret is a token.
const TOKEN_USER: &str = "<token>";
/// What a helper answers if it has nothing for a registry.
const NONE_FOUND: &str = "credentials not found";

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Basic {
        user: String,
        password: String,
    },
    /// Exchanged for a token of one repository.
    IdentityToken(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => write!(out, "Basic({user:?})"),
            Self::IdentityToken(_) => out.write_str("IdentityToken"),
        }
    }
}

/// What was found, and where it was looked for.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) credentials: Option<Credentials>,
    pub(super) looked: String,
}

/// Docker's file. It has much else.
#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    auths: std::collections::BTreeMap<String, Entry>,
    #[serde(default, rename = "credsStore")]
    store: String,
    #[serde(default, rename = "credHelpers")]
    helpers: std::collections::BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
}

/// Returns the credentials for a repository of a registry.
///
/// # Errors
/// If the file can't be used, or its helper doesn't work.
pub(super) async fn find(registry: &str, repository: &str, named: Option<&Path>) -> Result<Found, OciError> {
    let Some(path) = named.map(Path::to_owned).or_else(dockers_own) else {
        return Ok(Found { credentials: None, looked: "Docker's config.json (there is no HOME)".to_owned() });
    };
    let looked = path.display().to_string();
    let unusable = |why: String| OciError::CredentialsFile(format!("the credentials in {looked} can't be used: {why}"));
    let text =
        match tokio::task::spawn_blocking(move || text_of(&path)).await.map_err(|error| unusable(error.to_string()))? {
            Ok(text) if text.len() as u64 > FILE_BYTES_MAX => {
                return Err(unusable(format!("it has more than {FILE_BYTES_MAX} bytes")));
            }
            Ok(text) => text,
            // Nobody has logged in yet.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                return Ok(Found { credentials: None, looked });
            }
            Err(error) => return Err(unusable(error.to_string())),
        };
    // The parser's error could repeat a part of the text.
    let file: File = serde_json::from_slice(&text)
        .map_err(|error| unusable(format!("it is no JSON of Docker's config.json (line {})", error.line())))?;
    let keys = keys(registry, repository);
    let helper = keys.iter().find_map(|key| file.helpers.get(key)).filter(|helper| !helper.is_empty());
    let helper = helper.or(Some(&file.store)).filter(|helper| !helper.is_empty());
    if let Some(helper) = helper
        && let Some(credentials) = of_helper(helper, registry, &looked).await?
    {
        return Ok(Found { credentials: Some(credentials), looked: format!("docker-credential-{helper}") });
    }
    let entry = keys.iter().find_map(|wanted| file.auths.iter().find(|(key, _)| host_of(key) == *wanted));
    let credentials = match entry {
        Some((key, entry)) => {
            entry.credentials().ok_or_else(|| unusable(format!("the `auth` of {key} is no USER:PASSWORD in base64")))?
        }
        None => None,
    };
    Ok(Found { credentials, looked })
}

fn text_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
    Ok(text)
}

impl Entry {
    /// Returns the outer `None` if it can't be read, the inner one if it is empty, as beside a helper.
    fn credentials(&self) -> Option<Option<Credentials>> {
        if !self.identitytoken.is_empty() {
            return Some(Some(Credentials::IdentityToken(self.identitytoken.clone())));
        }
        if self.auth.is_empty() {
            let (user, password) = (self.username.clone(), self.password.clone());
            return Some((!user.is_empty()).then_some(Credentials::Basic { user, password }));
        }
        let decoded = String::from_utf8(STANDARD.decode(&self.auth).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        let password = password.trim_end_matches('\0').to_owned();
        Some(Some(Credentials::Basic { user: user.to_owned(), password }))
    }
}

fn dockers_own() -> Option<PathBuf> {
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let folder = folder.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker")));
    folder.map(|folder| folder.join("config.json"))
}

/// Returns the keys of a file that are for a repository, the closest one first.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let whole = format!("{registry}/{repository}");
    let ends = whole.match_indices('/').map(|(at, _)| at).collect::<Vec<_>>();
    let shorter = ends.into_iter().rev().filter_map(|end| whole.get(..end)).map(str::to_owned);
    let mut keys: Vec<_> = std::iter::once(whole.clone()).chain(shorter).collect();
    if registry == "docker.io" {
        keys.extend([host_of(DOCKER_HUB).to_owned(), DOCKER_HUB.to_owned()]);
    }
    keys
}

/// Returns a key without what Docker's older versions wrote around a host.
fn host_of(key: &str) -> &str {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let bare = bare.trim_end_matches('/');
    bare.strip_suffix("/v1").or_else(|| bare.strip_suffix("/v2")).unwrap_or(bare)
}

#[derive(Deserialize)]
struct OfHelper {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Asks a helper of Docker's, which is ended if the pull is given up.
async fn of_helper(helper: &str, registry: &str, file: &str) -> Result<Option<Credentials>, OciError> {
    let failed = |why: String| {
        OciError::CredentialsFile(format!(
            "{file} has the credentials kept by docker-credential-{helper}, which {why}; log in on a machine where it works, or name \
             another file with oci.credentials_file"
        ))
    };
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if !helper.chars().all(is_word) {
        return Err(failed("is no program's name".to_owned()));
    }
    let mut command = Command::new(format!("docker-credential-{helper}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("isn't installed here".to_owned()),
        _ => failed(format!("can't be started: {error}")),
    })?;
    let server = if registry == "docker.io" { DOCKER_HUB } else { registry };
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that ends without reading says why.
        _ = stdin.write_all(server.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| failed(format!("can't be read: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        return match said.contains(NONE_FOUND) {
            true => Ok(None),
            false => Err(failed(format!("failed ({})", output.status))),
        };
    }
    let answer: OfHelper = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("answers no JSON with Username and Secret".to_owned()))?;
    Ok(Some(match answer.user.as_str() {
        TOKEN_USER => Credentials::IdentityToken(answer.secret),
        _ => Credentials::Basic { user: answer.user, password: answer.secret },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(file: &str, registry: &str) -> Result<Option<Credentials>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        std::fs::write(&path, file).expect("written");
        let found = find(registry, "shop/spring", Some(&path)).await;
        found.map(|found| found.credentials).map_err(|error| error.to_string())
    }

    fn basic(user: &str, password: &str) -> Option<Credentials> {
        Some(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
    }

    #[tokio::test]
    async fn dockers_forms_are_read() {
        let auth = |text: &str| format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(text));
        let (ana, bo) = (auth("ana:se:cret"), auth("bo:b"));
        let check = async |auths: &str, registry: &str, wanted: Option<Credentials>| {
            assert_eq!(found(&format!(r#"{{"auths":{{{auths}}},"other":1}}"#), registry).await, Ok(wanted), "{auths}");
        };
        check("", "ghcr.io", None).await;
        check(&format!(r#""ghcr.io":{ana}"#), "ghcr.io", basic("ana", "se:cret")).await;
        check(&format!(r#""https://ghcr.io/v2/":{ana}"#), "ghcr.io", basic("ana", "se:cret")).await;
        check(&format!(r#""localhost:5000":{ana}"#), "localhost:5001", None).await;
        check(&format!(r#""ghcr.io":{ana},"ghcr.io/shop":{bo}"#), "ghcr.io", basic("bo", "b")).await;
        check(&format!(r#""ghcr.io/other":{bo}"#), "ghcr.io", None).await;
        check(&format!(r#""https://index.docker.io/v1/":{ana}"#), "docker.io", basic("ana", "se:cret")).await;
        check(r#""ghcr.io":{"username":"ana","password":"p"}"#, "ghcr.io", basic("ana", "p")).await;
        check(r#""ghcr.io":{}"#, "ghcr.io", None).await;
        let token = Some(Credentials::IdentityToken("t0".to_owned()));
        check(r#""ghcr.io":{"identitytoken":"t0","auth":"PHRva2VuPjo="}"#, "ghcr.io", token).await;
    }

    #[tokio::test]
    async fn what_cant_be_used_is_said_without_the_secret() {
        let check = async |file: &str, why: &str| {
            let error = found(file, "ghcr.io").await.expect_err("refused");
            assert!(error.contains(why) && error.contains("config.json") && !error.contains("s3cret"), "{error}");
        };
        check("s3cret", "is no JSON of Docker's config.json (line 1)").await;
        check(r#"{"auths":{"ghcr.io":{"auth":"s3cret"}}}"#, "the `auth` of ghcr.io is no USER:PASSWORD in base64")
            .await;
        check(r#"{"credsStore":"none-such"}"#, "docker-credential-none-such, which isn't installed here").await;
        check(r#"{"credHelpers":{"ghcr.io":"../evil"}}"#, "is no program's name").await;
        let missing = find("ghcr.io", "a", Some(Path::new("/none/such"))).await.expect_err("missing").to_string();
        assert!(missing.contains("/none/such can't be used"), "{missing}");
        assert_eq!(format!("{:?}", basic("ana", "s3cret").expect("some")), r#"Basic("ana")"#);
    }
}
